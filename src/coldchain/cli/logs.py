"""What stays on disk of a run, for those who were not there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coldchain.cli.printing import name, tally
from coldchain.cli.summary import verdict
from coldchain.model import State

if TYPE_CHECKING:
    from coldchain.config.values import Config
    from coldchain.steps.report import Report

_LIMIT_BYTES = 10 << 20


def log_report(config: Config, report: Report) -> None:
    """Append one line for each dataset, and one for the run, to ``<state>/logs/<job>.log``; the old one is kept once.

    A log that cannot be written never changes the result of a run.
    """
    folder = config.state / "logs"
    file = folder / f"{report.job}.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > _LIMIT_BYTES:
            file.replace(folder / f"{report.job}.log.1")
        with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
            for line in _lines(report):
                log.write(line + "\n")
    except OSError as error:
        from coldchain.cli.printing import complain

        complain(f"the log {file} could not be written: {error.strerror}")


def _lines(report: Report) -> list[str]:
    stamp = f"{report.ended or report.started:%Y-%m-%dT%H:%M:%SZ} run {report.run}"
    lines = []
    for dataset in report.datasets:
        lots = ", ".join(
            f"{destination}: "
            + " ".join(f"{state} {lot.tally(state).files}" for state in State if lot.tally(state).files)
            for destination, lot in dataset.lots.items()
        )
        lines.append(
            f"{stamp} {name(dataset.name)} {dataset.selected.files} files {dataset.selected.size_bytes} bytes: {lots}"
        )
    lines.append(f"{stamp} {tally(report.selected)}: {verdict(report)} (exit code {report.exit_code})")
    return lines
