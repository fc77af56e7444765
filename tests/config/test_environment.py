"""Is ``${NAME}`` filled in, and does what it stands for stay secret?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.config.read import read_config
from coldchain.errors import ConfigurationError
from tests.config.writing import HOME, SMALL, complaint, read, write

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes mean something only there")
FROM_X = SMALL.replace("'from'", "'${X}'")
SECRET = "hunter2"


def _env(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def _source(folder: Path, text: str, environ: dict[str, str]) -> str:
    return read(folder, text, environ).jobs["m"].source.url


def test_a_name_is_filled_from_the_environment_before_the_file(tmp_path: Path) -> None:
    _env(tmp_path, "X=/file\n")
    assert _source(tmp_path, FROM_X, {}) == "/file"
    assert _source(tmp_path, FROM_X, {"X": "/environment"}) == "/environment"


def test_every_text_can_be_filled_and_what_was_filled_in_is_not_searched_again(tmp_path: Path) -> None:
    text = SMALL.replace("'from'", "'/a/${X}/b${Y}'").replace("'to'", "'/to'") + "layout = '$${${X}/{path}'\n"
    text = text.replace("$${${X}", "${LAYOUT}")
    job = read(tmp_path, text, {"X": "${Y}", "Y": "z", "LAYOUT": "{job}"}).jobs["m"]
    assert job.source.url == "/a/${Y}/bz"
    assert job.destinations[0].layout == "{job}/{path}"
    overridden = read(tmp_path, SMALL, {"X": "*.tmp"}, ["jobs.m.exclude=['${X}']"])
    assert overridden.jobs["m"].exclude == ("*.tmp",)


@pytest.mark.parametrize(("written", "meant"), [("/a$${X}", "/a${X}"), ("/a$X", "/a$X"), ("/$$", "/$$")])
def test_a_literal_sign_can_be_written(tmp_path: Path, written: str, meant: str) -> None:
    assert _source(tmp_path, SMALL.replace("'from'", f"'{written}'"), {}) == meant


@pytest.mark.parametrize("written", ["${}", "${X", "${1X}", "${X:-y}", "${X Y}"])
def test_half_a_name_is_refused(tmp_path: Path, written: str) -> None:
    said = complaint(tmp_path, SMALL.replace("'from'", f"'{written}'"), {"X": "/x"})
    assert "[jobs.m] source: after ${ a NAME and } must follow" in said


def test_an_unknown_name_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path, FROM_X, {}) == (
        "coldchain.toml: [jobs.m] source: ${X} is not set, neither in the environment nor in .env"
    )


def test_bytes_that_are_not_utf8_come_through_the_environment(tmp_path: Path) -> None:
    assert _source(tmp_path, FROM_X, {"X": "/data/\udcff"}) == "/data/\udcff"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=/a", "/a"),
        ("export X=/a", "/a"),
        ("  X = /a b  ", "/a b"),
        ("X=/a # why", "/a"),
        ("X=/a#b", "/a#b"),
        ("X='/a # b'", "/a # b"),
        ("X='/a' # why", "/a"),
        ('X="/a \\"b\\" \\\\ \\n"', '/a "b" \\ \\n'),
        ("# c\n\nY=1\nX=/a\r\n", "/a"),
        ("X=/b\nX=/a", "/a"),
        ("\ufeffX=/a", "/a"),
        ("X=/${Y}", "/${Y}"),
    ],
)
def test_the_file_is_read_as_shells_read_it(tmp_path: Path, line: str, value: str) -> None:
    _env(tmp_path, line)
    assert _source(tmp_path, FROM_X, {}) == value


@pytest.mark.parametrize(
    "line", ["X", f"X='{SECRET}", f'X="{SECRET}"x', f"X Y={SECRET}", f"1={SECRET}", f"X: {SECRET}"]
)
def test_a_line_that_is_none_is_named_by_its_number_and_never_quoted(tmp_path: Path, line: str) -> None:
    _env(tmp_path, f"Y=1\n{line}\n")
    said = complaint(tmp_path, FROM_X, {})
    assert ".env: line 2 is not of the form KEY=VALUE" in said
    assert SECRET not in said


@posix_only
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = _env(tmp_path, "X=/a", mode)
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, FROM_X, {})
    assert f"others can read this file, which may hold secrets; mend it with: chmod 600 {path}" in str(caught.value)
    assert _source(tmp_path, FROM_X, {"X": "/environment"}) == "/environment"
    assert _source(tmp_path, SMALL, {}) == str(tmp_path / "from")


def test_a_file_that_is_not_utf8_is_named_and_a_folder_is_none(tmp_path: Path) -> None:
    path = _env(tmp_path, "")
    path.write_bytes(b"Y=1\nX=\xe4")
    assert ".env: line 2 is not UTF-8 text" in complaint(tmp_path, FROM_X, {})
    path.unlink()
    path.mkdir()
    assert "${X} is not set" in complaint(tmp_path, FROM_X, {})


# --- P14: secrets stay secret -----------------------------------------------------------------------------------------

KEYS = [
    "source", "destinations", "instrument", "datasets", "include", "exclude", "settle", "verify", "on_change", "digest",
    "symlinks", "brake", "settel",
]  # fmt: skip


@pytest.mark.parametrize(
    "value", [SECRET, f"{SECRET}://[", f"s3://u:{SECRET}@h", f"~{SECRET}", f"\x00{SECRET}", f"Z:{SECRET}"]
)
@pytest.mark.parametrize("shape", ["'${X}'", "['${X}']", "{ share = '${X}' }", "{ '${X}' = '${X}' }"])
def test_p14_no_complaint_holds_a_value_that_was_filled_in(tmp_path: Path, shape: str, value: str) -> None:
    for key in KEYS:
        lines = dict.fromkeys(("source", "destinations", key), "'/from'") | {"destinations": "['d']", key: shape}
        job = "".join(f"{name} = {text}\n" for name, text in lines.items())
        destination = "[destinations.d]\nurl = '${X}'\nlayout = '${X}'\nmarker = '${X}'\n"
        text = f"version = 1\nnope = 1\n[jobs.m]\n{job}{destination}"
        assert SECRET not in complaint(tmp_path, text, HOME | {"X": value})
    for key in ("state", "ledger", "version"):
        said = complaint(
            tmp_path, f"{key} = '${{X}}'\nnope = 1\n{SMALL.removeprefix('version = 1')}", HOME | {"X": value}
        )
        assert SECRET not in said


@settings(deadline=None)
@given(x=st.text(min_size=1))
def test_p14_whatever_is_filled_in_a_complaint_does_not_depend_on_it(
    tmp_path_factory: pytest.TempPathFactory, x: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = SMALL + "marker = '${X}'\n"
    assert complaint(folder, text, HOME | {"X": x}) == complaint(folder, text, HOME | {"X": "y"})


@posix_only
def test_p14_a_written_password_is_refused_in_a_file_that_others_can_read(tmp_path: Path) -> None:
    path = write(tmp_path, f"ledger = 'postgresql://u:{SECRET}@h/d'\n{SMALL}")
    assert read_config(path, HOME).ledger_url == f"postgresql+psycopg://u:{SECRET}@h/d"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"ledger: holds a password, .* chmod 600") as caught:
        read_config(path, HOME)
    assert SECRET not in str(caught.value)


@posix_only
def test_p14_a_password_by_name_is_welcome_in_a_file_that_others_can_read(tmp_path: Path) -> None:
    path = write(tmp_path, f"ledger = 'postgresql://u:${{PW}}@h/d'\n{SMALL}")
    path.chmod(0o644)
    assert read_config(path, HOME | {"PW": SECRET}).ledger_url == f"postgresql+psycopg://u:{SECRET}@h/d"


def test_p14_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    said = complaint(tmp_path, SMALL, overrides=[f"ledger=postgresql://u:{SECRET}@h/d"])
    assert "everybody can see a password on the command line" in said
    assert SECRET not in said


@pytest.mark.parametrize("url", [f"az://u:{SECRET}@h/x", f"gs://u:a/{SECRET}@h", f"ftp://h/x?token={SECRET}"])
def test_p14_a_password_in_a_place_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    said = complaint(tmp_path, SMALL.replace("'to'", f"'{url}'") + "nope = 1\n")
    assert SECRET not in said
    assert "[destinations.d] url: " in said
    assert "must not hold a password" in said
    assert SECRET not in complaint(tmp_path, f"state = '{url}'\nledger = '{url}'\n{SMALL}")
