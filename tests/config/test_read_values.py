"""Does a right configuration mean what it says?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.schema import DIGESTS
from coldchain.config.values import Brake, Destination, Incomplete, Job, OnChange, Symlinks
from coldchain.model import Place, ProofKind
from tests.config.writing import DESTINATION, HOME, JOB, SMALL, TOP, complaint, read, write


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.path == tmp_path / "coldchain.toml"
    assert config.state == tmp_path / "coldchain-state"
    assert config.ledger_url == f"sqlite:///{tmp_path}/coldchain-state/ledger.sqlite"
    to = Destination(Place("d", str(tmp_path / "to")))
    assert config.jobs == {"m": Job("m", Place("m", str(tmp_path / "from")), (to,))}


def test_everything_that_is_said_arrives(tmp_path: Path) -> None:
    text = """version = 1
        state = "/var/lib/coldchain"
        ledger = "other.sqlite"
        [jobs.merscope]
        source = "/data"
        destinations = ["b", "a"]
        instrument = "files"
        datasets = "*/2024-*"
        parts = ["raw_data", "output"]
        plates = ["BR00121482", " AP_0042 "]
        flag = "transfer_me.flag"
        growing = ["Monitor*.txt", "logs/"]
        incomplete = "wait"
        max_open = "3 days"
        personal = true
        include = ["*.tif", "!raw/"]
        exclude = ["*.tmp"]
        settle = "1 h"
        verify = "size"
        on_change = "keep-both"
        digest = "blake3"
        symlinks = "ignore"
        brake = { share = "20%", least = 7 }
        [destinations.a]
        url = "/mnt/a"
        layout = "x/{job}/{dataset}/{path}"
        marker = false
        required = false
        [destinations.b]
        url = "s3://bucket/b"
        [destinations.unused]
        url = "/mnt/unused"
        """
    config = read(tmp_path, text)
    assert config.state == Path("/var/lib/coldchain")
    assert config.ledger_url == f"sqlite:///{tmp_path}/other.sqlite"
    assert config.jobs["merscope"] == Job(
        name="merscope",
        source=Place("merscope", "/data"),
        destinations=(
            Destination(Place("b", "s3://bucket/b")),
            Destination(Place("a", "/mnt/a"), "x/{job}/{dataset}/{path}", marker=False, required=False),
        ),
        datasets="*/2024-*",
        parts=("raw_data", "output"),
        plates=("BR00121482", "AP_0042"),
        flag="transfer_me.flag",
        growing=("Monitor*.txt", "logs/"),
        incomplete=Incomplete.WAIT,
        max_open=timedelta(days=3),
        personal=True,
        include=("*.tif", "!raw/"),
        exclude=("*.tmp",),
        settle=timedelta(hours=1),
        verify=ProofKind.SIZE,
        on_change=OnChange.KEEP_BOTH,
        digest="blake3",
        symlinks=Symlinks.IGNORE,
        brake=Brake(0.2, 7),
    )


@pytest.mark.parametrize(
    ("key", "word", "attribute"),
    [("verify", kind.word, kind) for kind in ProofKind]
    + [("on_change", way.value, way) for way in OnChange]
    + [("incomplete", way.value, way) for way in Incomplete]
    + [("symlinks", way.value, way) for way in Symlinks]
    + [("digest", name, name) for name in DIGESTS],
)
def test_every_word_of_a_choice_is_understood(tmp_path: Path, key: str, word: str, attribute: object) -> None:
    job = read(tmp_path, f"{TOP}{JOB}{key} = '{word}'\n{DESTINATION}").jobs["m"]
    assert getattr(job, key) is attribute or getattr(job, key) == attribute


@pytest.mark.parametrize("written", ["folders", "whole", "sessions", "bins", "day-folders", "*", "*/2024-*", "run?"])
def test_what_a_dataset_is_can_be_any_word_or_a_pattern(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, f"{TOP}{JOB}datasets = '{written}'\n{DESTINATION}").jobs["m"].datasets == written


@pytest.mark.parametrize(
    "written",
    [
        "{path}",
        "{dataset}/{part}/{path}",
        "a-{date}_{plate}/{path}",
        "{measurement_id}/x/{path}",
        ".x/{path}",
        "x/.coldchain/{path}",
        "{job}/.coldchain/{path}",
    ],
)
def test_a_layout_may_name_what_an_instrument_knows(tmp_path: Path, written: str) -> None:
    config = read(tmp_path, f"{TOP}{JOB}{DESTINATION}layout = '{written}'\n")
    assert config.jobs["m"].destinations[0].layout == written


@pytest.mark.parametrize(
    ("written", "plates"),
    [
        ("plate_id,plate_id_full\na,a__2017\nb,\n", ("a__2017", "b")),
        ("plate_id\na\nb\na\n", ("a", "b")),
        ("plate_id_full\na__2017-Measurement 1\n", ("a__2017-Measurement 1",)),
        ("\ufeffplate_id_full , plate_id\r\n a__2017 , a\r\n\r\n , b \r\n,\r\n", ("a__2017", "b")),
        ("\nbatch,plate_id,n\n1,a,3\n2, b", ("a", "b")),
        ("plate_id;plate_id_full\na;a,1\n", ("a,1",)),
        ('plate_id\n"a, b"\n"c ""d"""\n', ("a, b", 'c "d"')),
    ],
)
def test_plates_are_read_from_a_file_beside_the_configuration(
    tmp_path: Path, written: str, plates: tuple[str, ...]
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "plates.csv").write_bytes(written.encode())
    assert read(tmp_path, f"{TOP}{JOB}plates = 'lists/plates.csv'\n{DESTINATION}").jobs["m"].plates == plates


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "is a file without plates"),
        (b"plate_id\n\n", "is a file without plates"),
        (b"BR00121482\n", "must name its columns in line 1: plate_id, plate_id_full, or both"),
        (b"\nplate,well\na,b\n", "must name its columns in line 2"),
        (b"plate_id,n\na,1\n,2\n", "names no plate in line 3"),
        (b"plate_id\na\n\xe4\n", "is not UTF-8 text in line 3; save the file as UTF-8"),
        (b'plate_id\na\n"b"c\n', "is no csv in line 3"),
        (b"plate_id\n" + b"a" * 200_000, "is no csv in line 2"),
        (b"plate_id\n" + b"a\n" * (9 << 20), "is too large for a list of plates"),
    ],
)
def test_a_wrong_list_of_plates_is_named_with_its_line(tmp_path: Path, written: bytes, said: str) -> None:
    (tmp_path / "my plates.csv").write_bytes(written)
    text = f"{TOP}{JOB}plates = '${{LISTS}}my plates.csv'\n{DESTINATION}"
    whole = complaint(tmp_path, text, HOME | {"LISTS": "./"})
    assert whole.startswith(f'coldchain.toml: [jobs.m] plates: "${{LISTS}}my plates.csv" {said}')


@pytest.mark.parametrize(
    ("written", "brake"),
    [
        ("false", Brake(share=1.0)),
        ("{}", Brake()),
        ("{ share = 1 }", Brake(share=1.0)),
        ("{ share = '5%' }", Brake(share=0.05)),
        ("{ least = 0 }", Brake(least=0)),
    ],
)
def test_the_brake_can_be_set_and_released(tmp_path: Path, written: str, brake: Brake) -> None:
    assert read(tmp_path, f"{TOP}{JOB}brake = {written}\n{DESTINATION}").jobs["m"].brake == brake


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/data/x/", "/data/x"),
        ("sub/x", "{folder}/sub/x"),
        ("../x", "{folder}/../x"),
        ("~", "/home/lab"),
        ("~/x", "/home/lab/x"),
        ("./~x", "{folder}/~x"),
        ("./a:b", "{folder}/a:b"),
        ("Z:\\", "Z:\\"),
        ("Z:/runs", "Z:/runs"),
        (r"\\server\share", r"\\server\share"),
        ("s3://bucket/Run 1", "s3://bucket/Run 1"),
        ("sftp://lab@host/data", "sftp://lab@host/data"),
        ("sftp://host:2222/a@b", "sftp://host:2222/a@b"),
        ("file:///data/x", "file:///data/x"),
    ],
)
def test_a_place_is_read_from_the_folder_of_the_configuration(tmp_path: Path, written: str, url: str) -> None:
    expected = url.replace("{folder}", str(tmp_path))
    assert read(tmp_path, f"{TOP}{JOB}[destinations.d]\nurl = '{written}'\n").jobs["m"].destinations[0].place == Place(
        "d", expected
    )
    other = f"{TOP}[jobs.m]\nsource = '{written}'\ndestinations = ['d']\n[destinations.d]\nurl = '/elsewhere'\n"
    if "lab" in url and not url.startswith("sftp"):
        assert read(tmp_path, "state = '/s'\n" + other).jobs["m"].source.url == expected


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("led.db", "sqlite:///{folder}/led.db"),
        ("/var/led.db", "sqlite:////var/led.db"),
        ("~/led.db", "sqlite:////home/lab/led.db"),
        ("sqlite:///led.db", "sqlite:///{folder}/led.db"),
        ("sqlite:////var/led.db", "sqlite:////var/led.db"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u:p@h/d?sslmode=require", "postgresql+psycopg://u:p@h/d?sslmode=require"),
    ],
)
def test_a_ledger_is_a_file_or_a_database(tmp_path: Path, written: str, url: str) -> None:
    config = read(tmp_path, f"ledger = '{written}'\n{SMALL}")
    assert config.ledger_url == url.replace("{folder}", str(tmp_path))


def test_a_mark_that_windows_editors_put_in_front_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff" + SMALL).jobs.keys() == {"m"}


def test_the_file_may_be_named_relatively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coldchain.config.read import read_config

    write(tmp_path, SMALL)
    monkeypatch.chdir(tmp_path)
    config = read_config(Path("coldchain.toml"), HOME)
    assert config.path == tmp_path / "coldchain.toml"
    assert config.jobs["m"].source.url == str(tmp_path / "from")


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("jobs.m.settle=0 s", "settle", timedelta(0)),
        ("jobs.m.settle = '5 min'", "settle", timedelta(minutes=5)),
        ("jobs.m.verify=checksum", "verify", ProofKind.CHECKSUM),
        ("jobs.m.exclude=['*.a', '*.b']", "exclude", ("*.a", "*.b")),
        ("jobs.m.brake=false", "brake", Brake(share=1.0)),
        ("jobs.m.brake.share=0.9", "brake", Brake(share=0.9)),
        ('jobs."m".source=/a=b', "source", Place("m", "/a=b")),
        ("jobs.m.source=/x\n[jobs.y]", "source", None),
    ],
)
def test_set_changes_one_value(tmp_path: Path, override: str, key: str, value: object) -> None:
    if value is None:
        from coldchain.errors import ConfigurationError

        with pytest.raises(ConfigurationError, match="--set: "):
            read(tmp_path, SMALL, HOME, [override])
    else:
        assert getattr(read(tmp_path, SMALL, HOME, [override]).jobs["m"], key) == value


def test_the_last_set_wins(tmp_path: Path) -> None:
    overrides = ["jobs.m.settle=1 s", "jobs.m.settle=2 s", "state=/s"]
    config = read(tmp_path, SMALL, HOME, overrides)
    assert (config.jobs["m"].settle, config.state) == (timedelta(seconds=2), Path("/s"))
