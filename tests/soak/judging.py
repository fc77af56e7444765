"""Did coldchain keep its promises, as far as the media, its reports and its ledger show?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coldchain.errors import LedgerAbsent
from coldchain.ledger.ledger import Ledger
from coldchain.model import DISPROVED, ProofKind
from coldchain.testing.oracle import Evidence, read_tree, violations
from tests.soak.acquiring import Bench
from tests.soak.carrier import Carrier, Done, Violation

_SHOWN = 5
_KEPT = re.compile(r"\.coldchain/(set-aside|generations)/.+")
"""What coldchain keeps and nobody asked for: what a repair moved away, lists of datasets as they were."""
_TEMPORARY = re.compile(r"\.coldchain/uploads/.+|(.*/)?\.~[^/]+\.coldchain")


def insist(broken: Iterable[str], where: str) -> None:
    """Raise a violation that names the first few."""
    if found := list(broken):
        raise Violation(f"{where}: " + "; ".join(found[:_SHOWN]) + (" ..." if len(found) > _SHOWN else ""))


def false_claims(
    ledger_file: Path, history: Mapping[str, set[str]], media: Mapping[str, Path], excused: Mapping[str, set[str]]
) -> list[str]:
    """What the ledger says was read back at a place, and is not there in any version of the file.

    ``excused`` are keys that were altered on the medium.
    """
    try:
        ledger = Ledger.open_read_only(f"sqlite:///{ledger_file}")
    except LedgerAbsent:
        return []
    found = []
    with ledger:
        for name, root in media.items():
            tree = read_tree(root)
            for dataset in ledger.datasets("j"):
                for record in ledger.all_records("j", name, dataset):
                    read = record.proof_kind is ProofKind.READBACK and record.proof_how != DISPROVED
                    there = tree.get(record.key)
                    if read and record.key not in excused[name] and there not in history.get(record.path, ()):
                        what = f"holds {there[:12]}, which never stood at the source" if there else "is not there"
                        found.append(f"{name}: the ledger says that {record.key!r} was read back, and it {what}")
    return found


def states(carrier: Carrier, done: Done, here: Iterable[str], names: Iterable[str]) -> list[tuple[str, str, str]]:
    """(path, destination, state) as a run reported it; raises Violation when its counts do not add up."""
    (report,) = done.told("coldchain-report")
    paths, names = set(here), list(names)
    if report["files"] != len(paths):
        raise Violation(f"the run reports {report['files']} files, and {len(paths)} are at the source")
    for dataset in report["datasets"]:
        for name in names:
            tally = dataset["destinations"].get(name, {})
            told = sum(tally[state]["files"] for state in ("verified", "held", "refused", "failed") if state in tally)
            if told != dataset["files"]:
                raise Violation(f"{dataset['dataset']!r}: {dataset['files']} files, {told} have a state at {name}")
    troubles = _troubles(carrier, report)
    return [(path, name, troubles.get((path, name), "verified")) for path in paths for name in names]


def _troubles(carrier: Carrier, report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    listed = [trouble for dataset in report["datasets"] for trouble in dataset["troubles"]]
    if any(dataset["more_troubles"] for dataset in report["datasets"]):
        (whole,) = carrier.command("report", str(report["run"]), "--json").told("coldchain-report")
        listed = whole["all_troubles"]
    return {(trouble["path"], trouble["destination"]): trouble["state"] for trouble in listed}


def sent_files(done: Done) -> int:
    """How many copies a run wrote."""
    (report,) = done.told("coldchain-report")
    tallies = [tally for dataset in report["datasets"] for tally in dataset["destinations"].values()]
    return sum(tally["sent"]["files"] for tally in tallies)


def ask_oracle(carrier: Carrier, done: Done, bench: Bench, media: Mapping[str, Path], *, forgot: bool) -> int:
    """Let the public oracle judge the end of a cycle; returns how many files it was about.

    A ledger that ``forgot`` was put back to before a run that was killed before any place heard of it: nobody can know
    of that run, and its temporary files stay until the next run that is killed or fails.
    """
    here = read_tree(bench.folder)
    told = states(carrier, done, here, media)
    told += [(path, name, "verified") for path in bench.cleared for name in media]
    strangers = {
        name: {
            key: content
            for key, content in read_tree(root).items()
            if _KEPT.fullmatch(key) or (forgot and _TEMPORARY.fullmatch(key))
        }
        for name, root in media.items()
    }
    evidence = Evidence(
        history=bench.history,
        source=bench.folder,
        destinations=media,
        report=told,
        exit_code=done.code,
        given_up=bench.given_up(),
        strangers=strangers,
    )
    insist(violations(evidence), "the oracle")
    return len(here) + len(bench.cleared)


def wrong_sums(media: Mapping[str, Path]) -> list[str]:
    """What ``sha256sum -c`` says of the manifests."""
    found = []
    for name, root in media.items():
        for sums in sorted((root / ".coldchain" / "manifests").rglob("*.sha256")):
            command = ["sha256sum", "--quiet", "-c", str(sums)]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
            if done.returncode:
                found.append(f"{name}: {sums.name}: {done.stdout}{done.stderr}")
    return found


def broken_chain(ledger_file: Path) -> list[str]:
    """Where the chain of events of the ledger does not hold."""
    with Ledger.open(f"sqlite:///{ledger_file}", create=False, now=datetime.now(UTC)) as ledger:
        chain = ledger.verify_chain()
    return [] if chain.first_broken is None else [f"the event {chain.first_broken} of the ledger: {chain.why}"]
