"""What does every tree of files live through?"""

from __future__ import annotations

from tests.realdata.field import LOSE, Field, Seen, sent, tree, typed, verified
from tests.realdata.sums import check_sums, read_manifests


def arrives(field: Field) -> dict[bytes, Seen]:
    """Carried whole, and proved by others' programs."""
    here = tree(field.source)
    field("init")
    report = field.run()
    assert report["files"] == len(here) == sent(report) / len(field.places)
    assert report["size_bytes"] == sum(entry["size_bytes"] for entry in report["datasets"])
    assert all(verified(report, place) == len(here) for place in field.places)
    holds(field, here)
    return here


def holds(field: Field, here: dict[bytes, Seen]) -> None:
    """Every destination has just the files of the source, and its manifests say so."""
    for place, there in field.data().items():
        assert {key: seen.kept for key, seen in there.items()} == {
            field.key(place, path): seen.kept for path, seen in here.items()
        }
        said = check_sums(field, place)
        assert said.keys() == there.keys()
        told = read_manifests(field, place)
        assert told == {
            field.key(place, path): (path, f"{field.digest}:{said[field.key(place, path)]}") for path in here
        }
        if field.digest == "sha256":
            assert said == {key: seen.sha256 for key, seen in there.items()}
        assert not [key for key in tree(field.places[place], own=True) if b".~" in key and key not in there]


def survives_its_ledger(field: Field, here: dict[bytes, Seen]) -> list[str]:
    """Nothing is sent twice; without the ledger, and then without manifests too, all is known again, nothing written.

    Returns the names of the datasets.
    """
    before = field.data()
    copies = len(here) * len(field.places)
    ledger = str(field.state)
    manifests = [str(place / ".coldchain" / "manifests") for place in field.places.values()]
    told = field.many(
        [
            ["run", "--json"],
            *[[LOSE, ledger], ["run", "--json"]],
            *[[LOSE, ledger], ["rebuild", "--json"], ["check", "--json"], ["run", "--json"]],
            *[[LOSE, ledger, *manifests], ["run", "--json"], ["run", "--json"], ["list", "--json"]],
        ]
    )
    twice, _, learnt, _, rebuilt, checked, after, _, adopted, again, listed = (one.json() for one in told)
    assert rebuilt[-1]["rebuilt"]["files"] == checked[-1]["good"]["files"] == copies
    for report in (twice[-1], learnt[-1], after[-1], adopted[-1], again[-1]):
        assert all(verified(report, place) == len(here) for place in field.places)
    assert sent(twice[-1]) == sent(after[-1]) == sent(again[-1]) == 0
    assert sum(row["files"] for row in listed) == copies
    assert field.data() == before
    holds(field, here)
    return sorted({row["dataset"] for row in listed})


def comes_back(field: Field, here: dict[bytes, Seen], datasets: list[str]) -> None:
    """Every dataset is restored, byte for byte, with times and modes; from each destination."""
    commands = []
    for place in field.places:
        folder = field.folder / f"back-{place}"
        commands += [["restore", "--to", str(folder), "--from", place, "--", "job", name] for name in datasets]
    field.many(commands)
    for place in field.places:
        back = tree(field.folder / f"back-{place}", own=True)
        assert {path: seen.kept for path, seen in back.items()} == {path: seen.kept for path, seen in here.items()}


def is_told(field: Field, paths: list[bytes]) -> None:
    """``why`` knows each file by its path."""
    for path, told in zip(paths, field.many([["why", "--json", "--", typed(path)] for path in paths]), strict=True):
        now = [life for life in told.json() if life["kind"] == "now"]
        assert {life["destination"] for life in now} == set(field.places), path
        assert all(life["path"] == typed(path) for life in now)
    field.many(["why", "--", typed(path)] for path in paths[::5])
