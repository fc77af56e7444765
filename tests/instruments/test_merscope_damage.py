"""Does coldchain notice what is damaged in a MERSCOPE run, and survive whatever stands in its headers?"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from coldchain.errors import Denied
from coldchain.instruments.base import Look
from coldchain.instruments.merscope import INSTRUMENT
from coldchain.instruments.merscope.judge import RunJudge
from coldchain.model import REST, Dataset, Entry, Part, Place
from coldchain.operate.examine import examine
from coldchain.stores.base import open_store
from coldchain.testing.memory import MemoryStore
from coldchain.verdict import Condition
from tests.instruments.merscope_runs import (
    LATER,
    REAL,
    drive,
    job,
    judged,
    played,
    put,
    raw,
    real,
    region,
)

__all__ = ["drive", "played", "raw", "real", "region"]

# --- damage -----------------------------------------------------------------------------------------------------------


def test_an_image_without_its_last_byte_is_not_whole(drive: Path, raw: Path) -> None:
    path = raw / "data/stack_4_0001.dax"
    put(path, path.read_bytes()[:-1])
    verdict = judged(drive)
    assert (verdict.condition, verdict.summary) == (Condition.INCOMPLETE, "1 .dax not whole: stack_4_0001.dax")
    assert list(verdict.unwhole) == [f"merfish_raw_data/{raw.name}/data/stack_4_0001.dax"]


def test_a_mosaic_without_its_last_byte_is_not_whole(drive: Path, region: Path) -> None:
    path = region / "images/mosaic_PolyT_z2.tif"
    put(path, path.read_bytes()[:-1])
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert list(verdict.unwhole) == [path.relative_to(drive).as_posix()]


def test_a_real_mosaic_without_its_last_byte_is_not_whole(real: Path) -> None:
    path = real / "merfish_output" / REAL / "region_0/images/mosaic_DAPI_z0.tif"
    put(path, path.read_bytes()[:-1])
    assert list(judged(real).unwhole) == [path.relative_to(real).as_posix()]


@pytest.mark.parametrize(
    "gone",
    [
        "experiment.json",
        "dataorganization.csv",
        "settings/protocol.json",
        "settings/stack8.toml",
        "settings/positions.csv",
    ],
)
def test_what_says_how_the_images_were_made_must_be_there(drive: Path, raw: Path, gone: str) -> None:
    (raw / gone).unlink()
    verdict = judged(drive)
    assert verdict.condition is Condition.INCOMPLETE
    assert gone in verdict.missing


@pytest.mark.parametrize("gone", ["images/manifest.json", "cell_metadata.csv", "detected_transcripts.csv"])
def test_a_region_needs_its_manifest_and_its_tables(drive: Path, region: Path, gone: str) -> None:
    (region / gone).unlink()
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing) == (Condition.INCOMPLETE, (f"region_0/{gone}",))


def test_the_codebook_that_the_experiment_names_must_be_there(drive: Path, raw: Path) -> None:
    (codebook,) = raw.glob("codebook_*.csv")
    codebook.unlink()
    assert judged(drive).missing == (codebook.name,)


def test_every_region_of_the_experiment_must_be_there(drive: Path, raw: Path) -> None:
    about = json.loads((raw / "experiment.json").read_text())
    about["regionSummaries"] = [{"endIndex": 0}, {"startIndex": 1, "endIndex": 1}]
    put(raw / "experiment.json", json.dumps(about))
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing) == (Condition.INCOMPLETE, ("region_1",))


def edit(raw: Path, **values: object) -> None:
    about = json.loads((raw / "experiment.json").read_text())
    put(raw / "experiment.json", json.dumps({**about, **values}))


def test_more_images_than_the_experiment_says_are_a_contradiction(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=1)
    verdict = judged(drive)
    assert verdict.condition is Condition.UNKNOWN
    assert verdict.summary == "experiment.json says 1 fields of view, but there are 2"
    assert verdict.remarks[0].path.endswith("/experiment.json")


def test_fewer_images_than_the_experiment_says_are_missing(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=3)
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing_count) == (Condition.INCOMPLETE, 12)
    assert verdict.summary.startswith("short by 12 of 36 .dax: stack_prestain_0002, stack_0_0002, ")


def test_an_experiment_that_does_not_count_leaves_it_unknown(drive: Path, raw: Path) -> None:
    for wrong in (None, "2", -1, 10**30, True, [2]):
        edit(raw, fovCount=wrong)
        assert judged(drive).condition is Condition.UNKNOWN, wrong
    put(raw / "experiment.json", '{"fovCount": 2')
    verdict = judged(drive)
    assert verdict.condition is Condition.UNKNOWN
    assert verdict.remarks[0].sentence.startswith("is no valid JSON")


def test_without_headers_images_must_be_as_long_as_their_siblings(drive: Path, raw: Path) -> None:
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    assert judged(drive).condition is Condition.COMPLETE
    (raw / "data/stack_3_0000.dax").write_bytes(b"half")
    assert [path.rpartition("/")[2] for path in judged(drive).unwhole] == ["stack_3_0000.dax"]


def test_settings_that_do_not_fit_the_images_hold_nothing_back(drive: Path, raw: Path) -> None:
    """Nobody has shown a .dax of a MERSCOPE in public: if its frames were others, the siblings decide."""
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    for number, path in enumerate(sorted((raw / "data").glob("*.dax"))):
        put(path, bytes(1000 + 7 * (number // 2)))
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.COMPLETE, {})


def test_images_of_all_sizes_are_unknown_and_not_held(drive: Path, raw: Path) -> None:
    edit(raw, fovCount=3)
    for path in (raw / "data").glob("*.inf"):
        path.unlink()
    sizes = iter(range(1001, 2000))
    for stack in {path.name.rpartition("_")[0] for path in (raw / "data").glob("*.dax")}:
        for fov in range(3):
            put(raw / f"data/{stack}_{fov:04d}.dax", bytes(next(sizes)))
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.UNKNOWN, {})


def test_an_image_whose_header_is_missing_is_missed(drive: Path, raw: Path) -> None:
    (raw / "data/stack_3_0001.inf").unlink()
    verdict = judged(drive)
    assert (verdict.condition, verdict.missing, verdict.unwhole) == (Condition.INCOMPLETE, ("stack_3_0001.inf",), {})
    with (raw / "data/stack_3_0001.dax").open("ab") as file:
        file.write(b"more")
    assert "still open" in next(iter(judged(drive).unwhole.values()))


def test_an_image_that_is_too_long_is_carried_but_never_complete(drive: Path, raw: Path) -> None:
    with (raw / "data/stack_3_0001.dax").open("ab") as file:
        file.write(b"more")
    verdict = judged(drive)
    assert (verdict.condition, verdict.unwhole) == (Condition.UNKNOWN, {})
    assert verdict.remarks[0].path.endswith("/stack_3_0001.dax")


def test_a_lone_header_does_not_stand_for_its_image(drive: Path, raw: Path) -> None:
    (raw / "data/stack_3_0001.dax").unlink()
    assert judged(drive).missing == ("stack_3_0001",)


def test_numbers_count_and_not_their_padding(drive: Path, raw: Path) -> None:
    for path in list((raw / "data").iterdir()):
        path.rename(path.with_name(path.name.replace("_000", "_")))
    assert judged(drive).condition is Condition.COMPLETE


# --- garbage ----------------------------------------------------------------------------------------------------------


def small_files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.is_file() and p.suffix in {".json", ".toml", ".csv", ".inf", ".tif"}
    )


@pytest.mark.parametrize("seed", range(6))
def test_garbage_in_every_header_never_raises_and_is_never_complete(drive: Path, seed: int) -> None:
    noise = random.Random(seed)
    nasty = [b"", b"\0" * 100, b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe\xed\xa0\x80", b'{"fovCount": NaN}']
    nasty += [
        b'[{"AcquireTiledImageStack": 3}]',
        b'{"mosaic_files": [{"file_name": "\\ud800"}, 3]}',
        b"II*\0" + b"\xff" * 40,
    ]
    nasty += [b'[{"AcquireTiledImageStack": {"base_name": "\\udcff", "stack_configuration": "\\ud800"}}]', b"9" * 6000]
    for path in small_files(drive):
        content = path.read_bytes()
        choice = noise.randrange(4)
        if choice == 0:
            put(path, noise.randbytes(noise.randrange(2000)))
        elif choice == 1:
            put(path, content[: noise.randrange(len(content))])
        else:
            put(path, noise.choice(nasty))
    for chosen in (job(), job(parts=("raw_data",)), job(parts=("output",))):
        verdict = judged(drive, chosen=chosen)
        assert verdict.condition is not Condition.COMPLETE
        json.dumps(verdict.as_json(), allow_nan=False).encode()
        verdict.summary.encode()
        "".join(verdict.missing).encode()


@pytest.mark.parametrize("name", ["experiment.json", "settings/protocol.json"])
def test_a_json_that_is_cut_anywhere_is_not_believed(drive: Path, raw: Path, name: str) -> None:
    content = (raw / name).read_bytes()
    for end in range(0, len(content), max(1, len(content) // 40)):
        put(raw / name, content[:end])
        assert judged(drive).condition is not Condition.COMPLETE


def test_a_file_that_cannot_be_read_gets_a_remark(drive: Path, raw: Path) -> None:
    class Deaf(MemoryStore):
        def read(self, key: str, *, past_cache: bool = False):  # type: ignore[no-untyped-def]
            raise Denied("no right", url=self.url, key=key)

    store = Deaf("memory://merscope-deaf")
    for path in sorted(drive.rglob("*")):
        if path.is_file():
            store.put(path.relative_to(drive).as_posix(), path.read_bytes())
    (one,) = (one for one in examine(INSTRUMENT, store, job(), LATER) if one.dataset.name != REST)
    assert one.verdict.condition is Condition.UNKNOWN
    assert all(sentence.startswith("could not be read: ") for _, sentence in one.verdict.remarks)


# --- memory and reading -----------------------------------------------------------------------------------------------


def test_a_large_run_is_seen_in_little_memory() -> None:
    import tracemalloc

    parts = (Part(f"merfish_analysis/{REAL}", name="analysis"), Part(f"merfish_raw_data/{REAL}", name="raw_data"))
    look = Look(MemoryStore("memory://merscope-large"), job(), LATER)
    judge = RunJudge(Dataset(REAL, parts), look)
    tracemalloc.start()
    for number in range(130_000):
        judge.see(Entry(f"merfish_analysis/{REAL}/Warp/{number}.npy", 7, 0))
    for fov in range(15_000):
        judge.see(Entry(f"merfish_raw_data/{REAL}/data/stack_0_{fov:04d}.dax", 184_549_376, 0))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1_000_000
    assert judge.verdict().catalogue["analysis_files"] == 130_000


def test_mosaics_are_looked_into_once(drive: Path) -> None:
    store = open_store(Place("s", str(drive)))
    (dataset,) = INSTRUMENT.find(store, job())
    first = Look(store, job(), LATER)
    again = Look(store, job(), LATER, recalled=first.remembered)
    for look in (first, again):
        judge = RunJudge(dataset, look)
        for part in dataset.parts:
            for entry in store.list(part.root):
                assert isinstance(entry, Entry)
                judge.see(entry)
        assert judge.verdict().condition is Condition.COMPLETE
    assert len(first.remembered) == 28
    assert again.remembered == first.remembered
