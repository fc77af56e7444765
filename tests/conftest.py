"""Which surroundings do all tests share?"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Where CI is set, pytest computes the whole difference of two values that should be equal; for two megabytes that takes
# hours.  So it is told by another name, which the workers of pytest-xdist inherit.
if os.environ.pop("CI", None) == "true":
    os.environ["COLDCHAIN_IN_CI"] = "true"
os.environ.pop("BUILD_NUMBER", None)
IN_CI = os.environ.get("COLDCHAIN_IN_CI") == "true"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real instrument files: never write to it."""
    said = os.environ.get("COLDCHAIN_TEST_DATA")
    folder = Path(said) if said else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no instrument files in {folder}: name their folder in COLDCHAIN_TEST_DATA")
    return folder.resolve()


# In CI nothing may be missing, so there a skipped test has failed: otherwise a server that no longer starts would
# turn half of the suite off and leave the run green.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail, in CI, where a test was skipped; an expected failure is none."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", _not_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail, in CI, where a whole module was skipped."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome, report.longrepr = "failed", _not_in_ci(report)
    return report


def _not_in_ci(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return f"{report.nodeid}: skipped, which CI does not allow: {reason}"
