"""Is everything that is wrong with a configuration named, where it stands and with what to do?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.config.read import read_config
from coldchain.config.schema import NOT_YET, DestinationTable, Document, JobTable
from coldchain.config.telling import LogsTable, MailTable, NotifyTable
from coldchain.errors import ConfigurationError
from tests.config.writing import DESTINATION, HOME, JOB, SMALL, TOP, complaint, read, toml

IN_JOB = "coldchain.toml: [jobs.m] "
IN_DESTINATION = "coldchain.toml: [destinations.d] "


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("settel = '1 s'", "settel: unknown key; did you mean 'settle'?"),
        ("Verify = 'size'", "Verify: unknown key; did you mean 'verify'?"),
        ("zzzzz = 1", "zzzzz: unknown key; known are brake, datasets, destinations"),
        ("'a\\b' = 1", 'settle-ish'),
        ("settle = 10", "settle: 10 is no duration: write numbers with units"),
        ("settle = '10'", 'settle: "10" is no duration: write numbers with units'),
        (f"settle = 0x{'f' * 5000}", "settle: (a number) is no duration"),
        ("settle = 2024-01-01", "settle: 2024-01-01 is no duration"),
        ("verify = 'readbak'", "verify: \"readbak\" is none of size, checksum, readback; did you mean 'readback'?"),
        ("verify = true", "verify: true must be text in quotes, one of size, checksum, readback"),
        ("on_change = 'keep'", "on_change: \"keep\" is none of replace, keep-both, refuse; did you mean"),
        ("digest = 'sha1'", "digest: \"sha1\" is none of sha256, md5, blake3; did you mean"),
        ("symlinks = 'follow'", "symlinks: \"follow\" is none of refuse, ignore; known are ignore, refuse"),
        ("include = '*.tif'", 'include: "*.tif" must be a list, such as ["one", "two"]'),
        ("include = []", "include: (a list) must name at least one"),
        ("include = ['a', 7]", "include, item 2: 7 must be text in quotes"),
        ("include = ['a', '[z-a]']", 'include, item 2: "[z-a]" is no gitignore pattern'),
        ("include = ['# x']", "include, item 1: \"# x\" is no gitignore pattern that could match"),
        ("include = ['!x']", "include: (a list) selects nothing"),
        ("exclude = ['']", 'exclude, item 1: "" is no gitignore pattern'),
        ("datasets = 'Folders'", 'datasets: "Folders" is neither a word of the instrument, such as folders or whole'),
        ("datasets = 'raw/2024'", "nor a pattern of folders, such as */*"),
        ("parts = 'raw_data'", 'parts: "raw_data" must be a list, such as'),
        ("parts = []", "parts: (a list) must name at least one"),
        ("parts = ['']", 'parts, item 1: "" must not be empty'),
        ("plates = 'plates.csv'", 'plates: "plates.csv" is not there, or is no file; plates themselves stand in a'),
        ("plates = '.'", 'plates: "." is not there, or is no file'),
        ("plates = ''", 'plates: "" must not be empty'),
        ("plates = 's3://x/plates.csv'", "must be a path on this machine, not a URL"),
        ("plates = []", "plates: (a list) must name a csv file"),
        ("plates = [1]", "plates: (a list) must name a csv file"),
        ("plates = ['a', ' ']", "plates: (a list) must not be empty"),
        ("plates = 7", "plates: 7 must name a csv file"),
        ("flag = 'a/transfer_me.flag'", 'flag: "a/transfer_me.flag" must be the name of a file, without the folders'),
        ("flag = 'a\\b'", "must be the name of a file"),
        ("flag = '..'", "must be the name of a file"),
        ("flag = ''", 'flag: "" must not be empty'),
        ("growing = 'Monitor*.txt'", 'growing: "Monitor*.txt" must be a list'),
        ("growing = []", "growing: (a list) must name at least one"),
        ("growing = ['[z-a]']", 'growing, item 1: "[z-a]" is no gitignore pattern'),
        ("incomplete = 'hold'", 'incomplete: "hold" is none of send, wait, flag; known are flag, send, wait'),
        ("max_open = '3'", 'max_open: "3" is no duration'),
        ("max_open = '3 months'", 'max_open: "3 months" is no duration'),
        ("personal = 'yes'", 'personal: "yes" must be true or false, without quotes'),
        ("datasets = '/*'", 'datasets: "/*" must be a pattern for each level'),
        ("datasets = '**'", 'datasets: "**" must be a pattern for each level'),
        ("instrument = 'a b'", 'instrument: "a b" is not a name'),
        ("brake = true", "brake: true must be false or a table"),
        ("brake = { share = 2 }", "brake.share: 2 must be from 0 to 1"),
        ("brake = { share = -0.1 }", "brake.share: -0.1 must be from 0 to 1"),
        ("brake = { share = nan }", "brake.share: nan must be from 0 to 1"),
        ("brake = { share = true }", "brake.share: true must be a number"),
        ("brake = { share = '5' }", 'brake.share: "5" is no share'),
        ("brake = { least = 1.5 }", "brake.least: 1.5 must be a whole number"),
        ("brake = { least = -1 }", "brake.least: -1 must be 0 or more"),
        ("brake = { lest = 1 }", "brake.lest: unknown key; did you mean 'least'?"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_a_job_is_named_with_what_to_do(tmp_path: Path, line: str, said: str) -> None:
    said = said.replace("settle-ish", '"a\\\\b": unknown key')
    assert said in complaint(tmp_path, f"{TOP}{JOB}{line}\n{DESTINATION}").removeprefix(IN_JOB)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "url: is missing, and required"),
        ("url = ''", 'url: "" must not be empty'),
        ("url = 1", "url: 1 must be text in quotes"),
        ('url = "Z:\\t"', "must not hold control characters"),
        ("url = 'Z:'", "names a drive without a folder"),
        ("url = 'Z:runs'", "names a drive without a folder"),
        ("url = 's3:bucket'", "looks like a URL without its slashes"),
        ("url = 'file://data/x'", "must have three slashes"),
        ("url = 'file:///data/a#b'", "must not hold"),
        ("url = 'FILE:///data'", "small letters"),
        ("url = '://x'", "is no URL"),
        ("url = 'http://[::1'", "is no URL"),
        ("url = '~nobody-of-this-name/x'", "that home folder is not known"),
        ("url = 'x'\nmarker = 'yes'", 'marker: "yes" must be true or false, without quotes'),
        ("url = 'x'\nrequired = 1", "required: 1 must be true or false, without quotes"),
        ("url = 'x'\nlayout = 'a'", "must end with {path}"),
        ("url = 'x'\nlayout = '{path}/a'", "must end with {path}"),
        ("url = 'x'\nlayout = 'a{path}'", "must end with {path}, alone"),
        ("url = 'x'\nlayout = '/{path}'", "must be a path below the destination"),
        ("url = 'x'\nlayout = 'a/../{path}'", "must be a path below the destination"),
        ("url = 'x'\nlayout = 'a//{path}'", "must be a path below the destination"),
        ("url = 'x'\nlayout = 'a\\b/{path}'", "must be a path below the destination"),
        ("url = 'x'\nlayout = '{Date}/{path}'", "names an unknown field; fields are written in small letters"),
        ("url = 'x'\nlayout = '{}/{path}'", "names an unknown field"),
        ("url = 'x'\nlayout = '{date:%Y}/{path}'", "names an unknown field"),
        ("url = 'x'\nlayout = '{path}/{path}'", "must have {path} once, at the end"),
        ("url = 'x'\nlayout = '{job/{path}'", "a brace without its partner"),
        ("url = 'x'\nlayout = 'x{dataset}/{path}'", "must have {dataset} once, alone between slashes"),
        ("url = 'x'\nlayout = '{dataset}/{dataset}/{path}'", "must have {dataset} once"),
        ("url = 'x'\nlayout = '.ColdChain/{path}'", "must not begin with .coldchain"),
        ("url = 'x'\nlayout = '{dataset}/.coldchain/{path}'", "must not begin with .coldchain"),
        ("url = 'x'\nlayout = '{date}/{lab}-{plate}/.coldchain/{path}'", "must not begin with .coldchain"),
        ("url = 'x'\nlayout = '.{job}/{path}'", "must not begin with .coldchain"),
        ("url = 'x'\nlayout = '.cold{plate}/{path}'", "must not begin with .coldchain"),
    ],
)
def test_a_wrong_destination_is_named_with_what_to_do(tmp_path: Path, lines: str, said: str) -> None:
    whole = complaint(tmp_path, f"{TOP}{JOB}[destinations.d]\n{lines}\n")
    assert whole.startswith(IN_DESTINATION)
    assert said in whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "coldchain.toml: version: is missing, and required"),
        (JOB + DESTINATION, "coldchain.toml: version: is missing, and required"),
        (f"version = '1'\n{JOB}{DESTINATION}", 'coldchain.toml: version: "1" must be a whole number, without quotes'),
        (f"version = true\n{JOB}{DESTINATION}", "coldchain.toml: version: true must be a whole number"),
        (f"version = 0\n{JOB}{DESTINATION}", "coldchain.toml: version: 0 must be 1"),
        (TOP, "coldchain.toml: jobs: is missing, and required"),
        (f"{TOP}[jobs]\n{DESTINATION}", "coldchain.toml: jobs: is empty: at least one [jobs.NAME] is needed"),
        (f"jobs = 1\n{TOP}{DESTINATION}", "coldchain.toml: jobs: 1 must be a table"),
        (f"jobs.m = 1\n{TOP}{DESTINATION}", "coldchain.toml: [jobs.m]: 1 must be a table"),
        (TOP + JOB, "coldchain.toml: destinations: is missing, and required"),
        (TOP + "[job.m]\n" + DESTINATION, "coldchain.toml: job: unknown key; did you mean 'jobs'?"),
        (f"state = 's3://x'\n{SMALL}", 'state: "s3://x" must be a path on this machine, not a URL'),
        (f"ledger = 'mysql://x/y'\n{SMALL}", "is no ledger: write a file, sqlite:///… or postgresql://…"),
        (f"ledger = 'postgres://x/y'\n{SMALL}", "is no ledger: write a file, sqlite:///… or postgresql://…"),
        (f"ledger = 'sqlite:///:memory:'\n{SMALL}", "would forget everything"),
        (f"ledger = 'a?b'\n{SMALL}", 'must not hold "?"'),
        (f"ledger = '.'\n{SMALL}", "is a folder; name a file in it"),
        (SMALL.replace("['d']", "[]"), "[jobs.m] destinations: (a list) must name at least one"),
        (SMALL.replace("['d']", "['d', 'd']"), '[jobs.m] destinations, item 2: "d" is named twice'),
        (SMALL.replace("['d']", "['dd']"), "[jobs.m] destinations, item 1: \"dd\" is not defined; did you mean 'd'?"),
        (SMALL.replace("jobs.m", "jobs.-m"), "[jobs.-m]: this cannot be a name: letters, digits"),
        (SMALL.replace("jobs.m", "jobs.'m m'"), '[jobs."m m"]: this cannot be a name'),
        (SMALL.replace("jobs.m", f"jobs.{'m' * 65}"), "this cannot be a name"),
        (SMALL + JOB.replace("jobs.m", "jobs.M"), "[jobs.M]: differs from 'm' only in capitals"),
    ],
)
def test_a_wrong_file_is_named_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


@pytest.mark.skipif(os.name == "nt", reason="there such a path is right")
def test_a_windows_path_for_our_own_things_is_refused_elsewhere(tmp_path: Path) -> None:
    assert "is a Windows path, and this is not Windows" in complaint(tmp_path, f"state = 'Z:\\x'\n{SMALL}")


@pytest.mark.parametrize("key", NOT_YET[JobTable])
def test_a_key_of_a_later_version_is_refused_and_not_ignored_in_a_job(tmp_path: Path, key: str) -> None:
    said = complaint(tmp_path, f"{TOP}{JOB}{key} = 'x'\n{DESTINATION}")
    assert said.startswith(f"{IN_JOB}{key}: not in this version of coldchain")


@pytest.mark.parametrize("key", NOT_YET[DestinationTable])
def test_a_key_of_a_later_version_is_refused_and_not_ignored_in_a_destination(tmp_path: Path, key: str) -> None:
    said = complaint(tmp_path, f"{SMALL}{key} = 'x'\n")
    assert said.startswith(f"{IN_DESTINATION}{key}: not in this version of coldchain")


@pytest.mark.parametrize("version", [2, 10**30])
def test_a_file_for_a_newer_coldchain_is_refused_whatever_else_it_says(tmp_path: Path, version: int) -> None:
    said = complaint(tmp_path, f"version = {version}\nnew = 1\n")
    assert said == (
        "coldchain.toml: version: this file was written for a newer coldchain; "
        "this one reads version 1: update coldchain"
    )


def test_all_problems_are_named_at_once_a_line_each(tmp_path: Path) -> None:
    job = f"{JOB}settel = '1 s'\nverify = 'x'\nexclude = ['${{NOPE}}']\n"
    text = f"{TOP}colour = 'red'\n{job}{DESTINATION}url2 = 'x'\nmarker = 1\n"
    lines = complaint(tmp_path, text).splitlines()
    assert len(lines) == 6
    assert all(line.startswith("coldchain.toml: ") for line in lines)


def test_one_mistake_in_a_table_does_not_hide_another(tmp_path: Path) -> None:
    wrong = SMALL.replace("['d']", "['e']\nnope = 1").replace("'to'", "'s3:x'\nnope = 1").replace("'from'", "'Z:x'")
    said = complaint(tmp_path, f"nope = 1\nledger = '.'\n{wrong}")
    assert said.count("nope: unknown key") == 3
    for part in ('"e" is not defined', '"Z:x" names a drive', '"s3:x" looks like a URL', '"." is a folder'):
        assert part in said


def test_a_mistake_in_a_set_is_put_down_to_it(tmp_path: Path) -> None:
    assert complaint(tmp_path, SMALL, overrides=["jobs.m.settle=soon"]).startswith(
        '--set: [jobs.m] settle: "soon" is no duration'
    )
    assert complaint(tmp_path, SMALL, overrides=["jobs.mm.settle=0 s"]) == (
        "coldchain.toml: --set [jobs.mm] settle: no job is called \"mm\"; did you mean 'm'?"
    )
    assert "what stands there is not a table" in complaint(tmp_path, SMALL, overrides=["version.x=1"])
    assert "is no duration" in complaint(tmp_path, SMALL, overrides=["jobs.m.settle='1 s'\nother = 2"])
    for wrong in ("settle", "=1", "a..b=1", "a\nb=1", "", '"\udcff"=1'):
        assert "--set number 1 is not of the form KEY=VALUE" in complaint(tmp_path, SMALL, overrides=[wrong])


# --- the file itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1\nx = ", "coldchain.toml: line 2, column 5: Invalid value; text stands in quotes"),
        ("version = 1\nversion = 1", "coldchain.toml: line 2, column 12: Cannot overwrite a value"),
        ('source = "Z:\\"\n', "write Windows paths in single quotes"),
        ('source = "Z:\\data"\n', "write Windows paths in single quotes"),
        ('source = "C:\\Users"\n', "write Windows paths in single quotes"),
        ("a = " + "[" * 5000, "coldchain.toml: is nested too deeply"),
        ("a = " + "1" * 5000, "coldchain.toml: "),
    ],
)
def test_a_mistake_of_syntax_is_named_with_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml: there is no such file; .*coldchain init"):
        read_config(tmp_path / "gone.toml", HOME)
    with pytest.raises(ConfigurationError, match="is a folder; name the file in it"):
        read_config(tmp_path, HOME)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"version = 1\n# \xe4\n")
    with pytest.raises(ConfigurationError, match="line 2 is not UTF-8 text; save the file as UTF-8"):
        read_config(path, HOME)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a file that not even root can read")
def test_a_file_that_cannot_be_read_is_said_to_be_unreadable() -> None:
    with pytest.raises(ConfigurationError, match=r"^/proc/self/mem: cannot be read"):
        read_config(Path("/proc/self/mem"), HOME)


# --- whatever is written ----------------------------------------------------------------------------------------------

TABLES = (JobTable, DestinationTable, Document, NotifyTable, MailTable, LogsTable)
KEYS = [*(key for table in TABLES for key in table.spellings()), "share", "least", "m", "d"]
TEXTS = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["*", "1 s", "/x", "~x", "s3://[", "file://", "${X}", "${", "$${", "\x00", "{path}", "{", "sqlite:///", "a" * 5000]
)
SCALARS = (
    TEXTS | st.booleans() | st.integers() | st.floats() | st.dates() | st.times() | st.datetimes()
    | st.sampled_from([10**400, -(10**400)])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
JOBS = st.dictionaries(st.sampled_from(list(JobTable.model_fields)), VALUES, max_size=4)
DESTINATIONS = st.dictionaries(st.sampled_from(list(DestinationTable.model_fields)), VALUES, max_size=3)
DOCUMENTS = st.dictionaries(st.sampled_from(list(Document.model_fields)) | TEXTS, VALUES, max_size=4) | st.builds(
    lambda job, destination, state, ledger: {
        "version": 1,
        "state": state,
        "ledger": ledger,
        "jobs": {"m": {"source": "/from", "destinations": ["d"]} | job},
        "destinations": {"d": {"url": "/to"} | destination},
    },
    JOBS, DESTINATIONS, TEXTS, TEXTS,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(document=DOCUMENTS, x=TEXTS)
def test_whatever_is_written_is_understood_or_refused(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object], x: str
) -> None:
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())
    try:
        read(tmp_path_factory.getbasetemp(), text, {"HOME": "/home/lab", "X": x})
    except ConfigurationError as error:
        str(error).encode()


@settings(deadline=None)
@given(override=st.text() | st.builds("jobs.m.{}={}".format, st.sampled_from(KEYS), st.text()))
def test_whatever_is_set_is_understood_or_refused(tmp_path_factory: pytest.TempPathFactory, override: str) -> None:
    try:
        read(tmp_path_factory.getbasetemp(), SMALL, HOME, [override])
    except ConfigurationError as error:
        str(error).encode()


@pytest.mark.parametrize("text", ["a" + ".a" * 3000 + " = 1", "a = 0x" + "f" * 20000, "jobs" + ".a" * 3000 + " = 1"])
def test_a_monstrous_file_is_refused_like_any_other(tmp_path: Path, text: str) -> None:
    assert complaint(tmp_path, text)
