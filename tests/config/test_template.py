"""Is what ``coldchain init`` writes right, whole and what the documents say?"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coldchain.config.schema import NOT_YET, BrakeTable, DestinationTable, Document, JobTable
from coldchain.config.template import render_template
from coldchain.config.values import Config, Destination, Job
from coldchain.errors import ConfigurationError
from coldchain.model import Place
from tests.config.writing import read
from tests.conftest import REPOSITORY

DEFAULT_LINE = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
KEYS = [(table, key) for table in (Document, JobTable, DestinationTable, BrakeTable) for key in table.model_fields]


def _config(folder: Path, text: str) -> Config:
    return dataclasses.replace(read(folder, text), jobs=dict(read(folder, text).jobs))


def test_the_template_is_read_back_with_all_defaults(tmp_path: Path) -> None:
    config = _config(tmp_path, render_template("files", source="/data", destination="/mnt/nas"))
    storage = Destination(Place("storage", "/mnt/nas"))
    assert config == Config(
        path=tmp_path / "coldchain.toml",
        state=tmp_path / "coldchain-state",
        ledger_url=f"sqlite:///{tmp_path}/coldchain-state/ledger.sqlite",
        jobs={"files": Job("files", Place("files", "/data"), (storage,))},
    )


def test_the_defaults_in_the_comments_are_the_defaults(tmp_path: Path) -> None:
    text = render_template("files", source="/data", destination="/mnt/nas")
    uncommented, count = DEFAULT_LINE.subn("", text)
    assert count > 10
    assert _config(tmp_path, uncommented) == _config(tmp_path, text)


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_in_the_template(table: type, key: str) -> None:
    text = render_template("files", source="a", destination="b")
    assert re.search(rf"^(# )?{key} = |^\[{key}\.|[{{,] {key} = ", text, re.MULTILINE)


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_documented(table: type, key: str) -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert any(f"`{key}`" in heading for heading in headings) or (table is BrakeTable and f"`{key}`" in text)


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
@given(name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_a_path_is_taken_literally(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    text = render_template("files", source=f"/data/{name}", destination="/mnt/nas")
    url = read(tmp_path_factory.getbasetemp(), text).jobs["files"].source.url
    assert url == ("/data/" + name if "://" in name else str(Path("/data/" + name)))


def test_a_path_that_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bytes that are not UTF-8"):
        render_template("files", source="/data/\udcff", destination="b")


def test_an_unknown_instrument_gets_no_template() -> None:
    with pytest.raises(ConfigurationError, match="'fils'; did you mean 'files'"):
        render_template("fils", source="a", destination="b")
