"""Is what ``coldchain init`` writes right, whole and what the documents say?"""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coldchain.config.schema import NOT_YET, BrakeTable, DestinationTable, Document, JobTable
from coldchain.config.tables import Table
from coldchain.config.telling import LogsTable, MailTable, NotifyTable
from coldchain.config.template import INSTRUMENTS, render_template
from coldchain.config.values import Config, Destination, Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import open_instrument
from coldchain.model import Place
from coldchain.steps.layout import check_layout
from tests.config.writing import read
from tests.conftest import REPOSITORY

DEFAULT_LINE = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
EXAMPLE_LINE = re.compile(r"^# For example: (?=[a-z_]+ = )", re.MULTILINE)
SHOWN = (Document, JobTable, DestinationTable, BrakeTable, LogsTable)
KEYS: list[tuple[type[Table], str]] = [(table, key) for table in SHOWN for key in table.spellings()]
KEYS_OF_CHANNELS: list[tuple[type[Table], str]] = [
    (table, key) for table in (NotifyTable, MailTable) for key in table.spellings()
]
WITHOUT_HEADING = (BrakeTable, LogsTable, MailTable)


def _config(folder: Path, text: str) -> Config:
    return dataclasses.replace(read(folder, text), jobs=dict(read(folder, text).jobs))


@pytest.mark.parametrize("instrument", [*INSTRUMENTS, "of_another.package"])
def test_the_template_is_read_back_with_all_defaults(tmp_path: Path, instrument: str) -> None:
    config = _config(tmp_path, render_template(instrument, source="/data", destination="/mnt/nas"))
    storage = Destination(Place("storage", "/mnt/nas"))
    assert config == Config(
        path=tmp_path / "coldchain.toml",
        state=tmp_path / "coldchain-state",
        ledger_url=f"sqlite:///{tmp_path}/coldchain-state/ledger.sqlite",
        jobs={instrument: Job(instrument, Place(instrument, "/data"), (storage,), instrument)},
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_defaults_in_the_comments_are_the_defaults(tmp_path: Path, instrument: str) -> None:
    text = render_template(instrument, source="/data", destination="/mnt/nas")
    uncommented, count = DEFAULT_LINE.subn("", text)
    assert count > 10
    job = _config(tmp_path, uncommented).jobs[instrument]
    as_the_instrument_says = dataclasses.replace(job, settle=None, on_change=None, datasets="")
    assert as_the_instrument_says == _config(tmp_path, text).jobs[instrument]


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_defaults_of_an_instrument_are_its_habits(tmp_path: Path, instrument: str) -> None:
    habits = open_instrument(instrument).habits
    text = DEFAULT_LINE.sub("", render_template(instrument, source="/data", destination="/mnt/nas"))
    job = _config(tmp_path, text).jobs[instrument]
    assert (job.settle, job.on_change) == (habits.settle, habits.on_change)
    assert job.datasets in ("", *habits.datasets[:1])


@pytest.mark.parametrize("instrument", [*INSTRUMENTS, "of_another.package"])
def test_the_examples_in_the_comments_can_be_taken_as_they_are(tmp_path: Path, instrument: str) -> None:
    (tmp_path / "plates.csv").write_text("plate_id\nBR00121482\n")
    text = render_template(instrument, source="/data", destination="/mnt/nas")
    uncommented, count = EXAMPLE_LINE.subn("", re.sub("# layout = .*\n", "", text))
    assert count >= 2
    job = _config(tmp_path, uncommented).jobs[instrument]
    assert job.max_open == timedelta(days=3)
    if instrument in INSTRUMENTS:
        check_layout(job.destinations[0].layout, open_instrument(instrument), "storage")
        assert set(job.parts) <= set(open_instrument(instrument).habits.parts)


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_in_a_template(table: type[Table], key: str) -> None:
    texts = [render_template(instrument, source="a", destination="b") for instrument in (*INSTRUMENTS, "other")]
    pattern = re.compile(rf"^(# (For example: )?)?{key} = |^\[{key}\.|[{{,] {key} = ", re.MULTILINE)
    assert any(pattern.search(text) for text in texts)


@pytest.mark.parametrize(("table", "key"), KEYS + KEYS_OF_CHANNELS)
def test_every_key_is_documented(table: type[Table], key: str) -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert any(f"`{key}`" in heading for heading in headings) or (table in WITHOUT_HEADING and f"`{key}`" in text)


def test_every_key_of_a_later_version_is_documented_as_such() -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    _, _, later = text.partition("## Not in this version")
    assert all(f"`{key}`" in later for keys in NOT_YET.values() for key in keys)


def test_the_example_of_the_documents_is_a_right_one(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    assert list(read(tmp_path, example[1]).jobs) == ["microscope"]


@example(name="${HOME}")
@example(name="it's $${X} \\ @SOURCE@")
@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(
        lambda name: "://" not in name
    )
)
def test_a_path_is_taken_literally(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    text = render_template("files", source=f"/data/{name}", destination="/mnt/nas")
    url = read(tmp_path_factory.getbasetemp(), text).jobs["files"].source.url
    assert url == str(Path("/data/" + name))


def test_a_path_that_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bytes that are not UTF-8"):
        render_template("files", source="/data/\udcff", destination="b")


def test_what_cannot_be_the_name_of_a_job_gets_no_template() -> None:
    with pytest.raises(ConfigurationError, match="'a b' cannot be the name of a job: letters"):
        render_template("a b", source="a", destination="b")
