"""Can a dataset be checked without coldchain, and its records be found again without the ledger?"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coldchain.errors import ManifestDamaged
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, json_lines, manifest_keys, name_bytes, sums_lines
from coldchain.ledger.manifest_fields import LINE_LIMIT_BYTES
from coldchain.ledger.manifest_read import lines_of, read_manifest
from coldchain.ledger.quoting import quote_dataset, unquote_dataset
from coldchain.model import Digest, ProofKind, Record
from tests.ledger.making import DATASET, DISK, JOB, NOW, ODD_NAMES, meet, record_of, verified

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "manifest-1.json").read_text())
HEADER = ManifestHeader(JOB, DATASET, "disk-1", "ab" * 16, (7, "cd" * 32), NOW, "0.1.0")
ODD = sorted(record_of(verified(name, number, key=f"moved/{name}")) for number, name in enumerate(ODD_NAMES))


def written(records: list[Record], header: ManifestHeader = HEADER) -> list[bytes]:
    return list(json_lines(header, records))


def read(lines: list[bytes]) -> tuple[ManifestHeader, list[Record]]:
    header, records = read_manifest(lines)
    return header, list(records)


# --- sums -------------------------------------------------------------------------------------------------------------


def every_name_of_a_byte() -> Iterator[bytes]:
    for byte in range(1, 256):
        if byte != ord("/"):
            yield bytes([byte]) if byte != ord(".") else b".."[:1] + b"x"
            yield b"a" + bytes([byte]) + b"b"
            yield bytes([byte]) * 2 + b"end"


@pytest.mark.parametrize(("program", "algorithm"), [("sha256sum", "sha256"), ("md5sum", "md5")])
def test_p09_the_sums_are_checked_by_coreutils_whatever_the_names(tmp_path: Path, program: str, algorithm: str) -> None:
    names = {
        *every_name_of_a_byte(),
        *(name_bytes(name) for name in ODD_NAMES if "/" not in name and "\ud83d" not in name),
    }
    records = []
    for number, name in enumerate(sorted(names)):
        content = f"content {number}".encode()
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(content)
        digest = Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
        records.append(record_of(verified(os.fsdecode(name), digest=digest)))
    sums = b"".join(sums_lines(records))
    done = subprocess.run(
        [program, "--check", "--strict", "-"], input=sums, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(b": OK\n") == len(records) == len(names)
    (tmp_path / "ab").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"rotten")
    done = subprocess.run(
        [program, "--check", "--quiet", "-"], input=sums, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"FAILED" in done.stdout


def test_the_sums_are_what_coreutils_writes(tmp_path: Path) -> None:
    names = ["plain", "back\\slash", "new\nline", "cr\rcr", "\\", "ü"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    digest = Digest("sha256", hashlib.sha256(b"x").hexdigest())
    theirs = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    assert b"".join(sums_lines([record_of(verified(name, digest=digest)) for name in names])) == theirs


def test_one_file_of_sums_holds_one_algorithm() -> None:
    records = [record_of(verified("a")), record_of(verified("b", digest=Digest("md5", "00" * 16)))]
    assert list(sums_lines(records, "md5")) == [b"00" * 16 + b"  b\n"]
    assert len(list(sums_lines(records))) == 2


def test_names_of_manifests() -> None:
    assert manifest_keys("merscope", "202205231554_run", "sha256") == (
        ".coldchain/manifests/merscope/202205231554_run.sha256",
        ".coldchain/manifests/merscope/202205231554_run.json",
    )
    assert manifest_keys("my job", "a/b", "md5")[0] == ".coldchain/manifests/my%20job/a%2Fb.md5"


@given(st.text(st.characters(), max_size=80))
def test_a_quoted_name_is_legal_everywhere_and_can_be_read_back(name: str) -> None:
    quoted = quote_dataset(name)
    assert 1 <= len(quoted.encode("ascii")) <= 200
    assert set(quoted) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._%~")
    assert not quoted.startswith(".")
    assert not quoted.endswith((".", " "))
    assert unquote_dataset(quoted) == (name if "%~" not in quoted else None)


@given(st.lists(st.text(st.characters(), max_size=80), unique=True, min_size=2, max_size=5))
def test_two_names_are_never_quoted_alike(names: list[str]) -> None:
    assert len({quote_dataset(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["", ".", "..", "CON", "nul.txt", "com1", "~", "%", "a.", "%~", "x" * 200])
def test_names_with_a_meaning_are_quoted(name: str) -> None:
    quoted = quote_dataset(name)
    assert quoted.upper() not in {"", ".", "..", "CON", "NUL.TXT", "COM1", "A."}
    assert unquote_dataset(quoted) == name
    assert "%~" in quote_dataset("x" * 201)


# --- the twin in JSON -------------------------------------------------------------------------------------------------


def test_p08_the_twin_gives_back_every_record_of_the_ledger(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified(name) for name in ODD_NAMES], NOW)
    ledger.record(run, JOB, DATASET, [verified("plain.tif", 2, key="plain~2.tif")], NOW)
    stored = list(ledger.all_records(JOB, DISK, DATASET))
    header = ManifestHeader(JOB, DATASET, "disk-1", ledger.id, ledger.head(), NOW, "0.1.0")
    assert read(list(json_lines(header, ledger.all_records(JOB, DISK, DATASET)))) == (header, stored)


@pytest.mark.parametrize("count", [0, 1, 2, len(ODD)])
def test_the_twin_is_json_as_documented_and_a_line_for_each_file(count: int) -> None:
    lines = written([record._replace(superseded=index == 1) for index, record in enumerate(ODD[:count])])
    assert len(lines) == count + 3
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    document = json.loads(b"".join(lines))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["count"] == count
    assert document["digest"] == f"sha256:{hashlib.sha256(b''.join(lines[:-2])).hexdigest()}"


def test_the_schema_refuses_what_is_not_documented() -> None:
    document = json.loads(b"".join(written(ODD)))
    for change in ({"extra": 1}, {"version": 2}, {"written": "yesterday"}):
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document | change)


def test_the_digest_is_what_the_documentation_computes(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(b"".join(written(ODD)))
    done = subprocess.run("head -n -2 x.json | sha256sum", shell=True, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(file.read_bytes())["digest"] == f"sha256:{done.stdout.split()[0].decode()}"


_part = st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=20).filter(lambda part: part not in ".. ")
_names = st.lists(_part, min_size=1, max_size=3).map("/".join)
_when = st.integers(0, 4_000_000_000_000_000)
_records = st.builds(
    Record,
    path=_names,
    key=_names,
    size_bytes=st.integers(0, 2**62),
    source_mtime_ns=st.integers(-(2**61), 2**63),
    source_ctime_ns=st.integers(0, 2**63),
    source_inode=st.integers(0, 2**64 - 1),
    mode=st.integers(0, 0o177777),
    stored_mtime_ns=st.integers(0, 2**63),
    digest=st.binary(min_size=1, max_size=64).map(lambda raw: Digest("sha256", raw.hex())),
    proof_kind=st.sampled_from(ProofKind),
    proof_how=st.sampled_from(["direct", "cached", "x-amz-checksum-sha256"]),
    proved_at_us=_when,
    stored_at_us=_when,
    superseded=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(_records, max_size=8, unique_by=lambda record: (record.path, record.key)), st.text(st.characters()))
def test_any_records_come_back(records: list[Record], dataset: str) -> None:
    records.sort(key=lambda record: (record.path, record.key))
    header = ManifestHeader(JOB, dataset, "disk-1", "id", (0, ""), NOW, "0.1.0")
    assert read(written(records, header)) == (header, records)


@given(st.data())
def test_any_byte_that_is_changed_removed_or_added_is_found(data: st.DataObject) -> None:
    whole = b"".join(written(ODD[:5]))
    place = data.draw(st.integers(0, len(whole) - 1))
    other = bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))])
    spoiled = data.draw(
        st.sampled_from([whole[:place] + other + whole[place + 1 :], whole[:place] + whole[place + 1 :], whole[:place]])
    )
    with pytest.raises(ManifestDamaged):
        read(list(lines_of([spoiled])))


def test_lines_that_are_missing_doubled_or_moved_are_found() -> None:
    lines = written(ODD[:5])
    for spoiled in (
        lines[:2] + lines[3:],
        lines[:3] + lines[2:],
        [lines[0], lines[2], lines[1], *lines[3:]],
        lines[:-1],
        lines[:-2],
        lines[:3],
        [*lines, b"more\n"],
        [lines[0], *lines[-2:]],
        [],
        [b"\n"],
        [b"[]\n"],
        [lines[0]],
    ):
        with pytest.raises(ManifestDamaged):
            read(spoiled)


def test_the_error_names_the_file_and_says_what_to_do() -> None:
    with pytest.raises(ManifestDamaged, match=r"^s3://bucket/x\.json: it is cut short after 5 files\. .*next run"):
        list(read_manifest(written(ODD[:5])[:-2], "s3://bucket/x.json")[1])


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../etc/passwd"},
        {"path": "/etc/passwd"},
        {"path": ""},
        {"key": "a/./b"},
        {"key": "a\0b"},
        {"size_bytes": -1},
        {"size_bytes": 1.0},
        {"size_bytes": True},
        {"mode": "x"},
        {"mode": 1 << 63},
        {"size_bytes": 1 << 63},
        {"source_inode": 1 << 64},
        {"digest": "sha256:xyz"},
        {"proof": "oath"},
        {"proved": "2026-01-01T00:00:00"},
        {"stored": 5},
        {"stored": "9999-12-31T23:59:59-23:59"},
        {"path_b64": "!"},
        {"path_b64": 5},
        {"how": None},
    ],
)
def test_p15_a_hostile_line_is_refused_even_when_the_digest_is_right(change: dict[str, object]) -> None:
    line = json.loads(written(ODD[:1])[1]) | change
    lines = [written([])[0], json.dumps(line).encode() + b"\n"]
    footer = {
        "count": 1,
        "size_bytes": line["size_bytes"],
        "digest": f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}",
    }
    with pytest.raises(ManifestDamaged, match="file 1 of its list"):
        read([*lines, b"],\n", json.dumps(footer).encode()[1:] + b"\n"])


def test_a_time_of_long_ago_is_written_so_that_it_can_be_read() -> None:
    header = replace(HEADER, written=datetime(26, 1, 1, tzinfo=UTC))
    assert read(written(ODD, header)) == (header, ODD)


def test_files_out_of_order_or_twice_are_refused_even_when_the_digest_is_right() -> None:
    for records in (ODD[1::-1], [ODD[0], ODD[0]]):
        with pytest.raises(ManifestDamaged, match="not in order"):
            read(written(records))


def test_a_newer_manifest_is_refused_and_never_misread() -> None:
    [first, *rest] = written(ODD[:1])
    with pytest.raises(ManifestDamaged, match="update coldchain"):
        read([first.replace(b'"version":1', b'"version":2'), *rest])
    for change in ((b"coldchain-manifest", b"bagit"), (b'"job":', b'"jab":'), (b'"number":7', b'"number":"7"')):
        with pytest.raises(ManifestDamaged):
            read([first.replace(*change), *rest])


def test_lines_are_cut_from_any_chunks_and_never_fill_the_memory() -> None:
    whole = b"".join(written(ODD))
    for size in (1, 7, 4096, len(whole)):
        chunks = [memoryview(whole)[start : start + size] for start in range(0, len(whole), size)]
        assert b"".join(lines_of(chunks)) == whole
        assert list(lines_of(chunks)) == whole.splitlines(keepends=True) or b"\r" in whole
    with pytest.raises(ManifestDamaged, match="no line of a manifest"):
        list(lines_of(b"x" * 65536 for _ in range(1000)))
    with pytest.raises(ManifestDamaged):
        read([b'{"format":"' + b"x" * LINE_LIMIT_BYTES + b'","files":[\n'])


def test_p17_writing_and_reading_take_the_memory_of_a_line() -> None:
    def many() -> Iterator[Record]:
        return (record_of(verified(f"{number:07d}", number)) for number in range(20_000))

    tracemalloc.start()
    _, records = read_manifest(json_lines(HEADER, many()))
    assert sum(1 for _ in records) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
