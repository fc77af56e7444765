"""Where do the files of a part lie at a destination, and which layouts are refused before they could collide?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.model import OWN_FOLDER, REST, Dataset, Part, Place
from coldchain.steps.layout import Layout, Region, check_apart, check_layout, layout_of
from coldchain.stores.base import Store

RAW, ANALYSED = Part("run/raw", name="raw"), Part("run/analysed", name="analysed")
RUN = Dataset("run 7", (RAW, ANALYSED), (("plate", "P1"), ("year", "2026")))


class Instrument:
    """One with such parts and fields."""

    name, title = "microscope", "a microscope"

    def __init__(self, parts: tuple[str, ...] = (), fields: tuple[str, ...] = ()) -> None:
        self.habits = Habits(parts=parts, fields=fields)

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        yield RUN

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        return Unjudged()

    def marker(self, dataset: Dataset, path: str) -> str | None:
        return None


LAYOUTS = [
    ("{path}", RAW, "", "run/raw/a/b"),
    ("x/{path}", RAW, "x/", "x/run/raw/a/b"),
    ("{job}/{path}", RAW, "j/", "j/run/raw/a/b"),
    ("{job}/{dataset}/{part}/{path}", RAW, "j/run 7/raw/", "j/run 7/raw/a/b"),
    ("{year}/of-{plate}/{part}/{path}", ANALYSED, "2026/of-P1/analysed/", "2026/of-P1/analysed/a/b"),
    ("{year}/{month}/{part}/{path}", RAW, "2026/raw/", "2026/raw/a/b"),
]


@pytest.mark.parametrize(("template", "part", "prefix", "key"), LAYOUTS)
def test_a_layout_is_filled_in_from_what_is_known_of_the_dataset(
    template: str, part: Part, prefix: str, key: str
) -> None:
    layout = layout_of(template, "j", RUN, part)
    assert layout.prefix == prefix
    assert layout.key(f"{part.root}/a/b") == key


def test_p16_what_lies_in_no_dataset_keeps_its_whole_path() -> None:
    layout = layout_of("{dataset}/{year}/{job}/{path}", "j", Dataset(REST), Part())
    assert layout == Layout("j/", 0)
    assert layout.key("a/b") == "j/a/b"


REGIONS = [
    (Layout("", 0), Part(), Region("", "", {OWN_FOLDER})),
    (Layout("x/", 0), Part(), Region("x", "", set())),
    (Layout("", 0), Part("run"), Region("run", "", set())),
    (Layout("lab/d/", 4), Part("run"), Region("lab/d", "", set())),
    (Layout("", 4), Part("run"), Region("", "", {OWN_FOLDER})),
    (Layout("", 0), Part("", "D1"), Region("", "D1", {OWN_FOLDER})),
    (Layout("", 0), Part("run", "D1"), Region("run", "D1", set())),
    (Layout("lab/", 4), Part("run", "D1"), Region("lab", "D1", set())),
    (Layout("", 0), Part(without=("a/", "b/c/", "D1")), Region("", "", {"a", "b/c", OWN_FOLDER})),
    (Layout("x/", 0), Part(without=("a/", "D1")), Region("x", "", {"x/a"})),
]


@pytest.mark.parametrize(("layout", "part", "region"), REGIONS)
def test_the_place_that_is_listed_holds_the_part_and_nothing_of_others(
    layout: Layout, part: Part, region: Region
) -> None:
    assert layout.region(part) == region


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["month", "Path", "part", ""])
def test_a_layout_may_only_name_what_the_instrument_knows(field: str) -> None:
    said = f"names {{{field}}}.* microscope .* it has {{job}}, {{dataset}}, {{path}}, {{plate}}$"
    with pytest.raises(ConfigurationError, match=said):
        check_layout(f"{{plate}}/{{{field}}}/{{path}}", Instrument(fields=("plate",)), "nas")


def test_of_an_instrument_with_parts_it_is_said_that_they_can_be_named() -> None:
    with pytest.raises(ConfigurationError, match=r"it has {job}, {dataset}, {part}, {path}$"):
        check_layout("{month}/{path}", Instrument(parts=("raw",)), "nas")


@pytest.mark.parametrize("template", ["{dataset}/{path}", "{job}/{plate}/{path}", "{dataset}-{job}/x/{path}"])
def test_p05_a_layout_in_which_two_parts_would_lie_on_one_another_is_refused(template: str) -> None:
    two = Instrument(parts=("raw", "analysed"), fields=("plate",))
    with pytest.raises(ConfigurationError, match="would lie on one another"):
        check_layout(template, two, "nas")
    check_layout(template, Instrument(parts=("raw",), fields=("plate",)), "nas")


@pytest.mark.parametrize(
    "template", ["{path}", "{job}/{path}", "x/{job}/{path}", "{dataset}/{part}/{path}", "{part}/{path}"]
)
def test_a_layout_that_keeps_the_parts_apart_is_taken(template: str) -> None:
    check_layout(template, Instrument(parts=("raw", "analysed")), "nas")


FIRST = Dataset("run 1", (Part("a"),), (("plate", "P1"), ("date", "2026")))
SECOND = Dataset("run 2", (Part("b"),), (("plate", "P1"), ("date", "2025")))


@pytest.mark.parametrize("layout", ["{plate}/{path}", "all/{plate}/x/{path}"])
def test_p05_a_layout_in_which_two_datasets_would_lie_on_one_another_is_refused(layout: str) -> None:
    """Else equal files would be one copy for both, and a newer version of one would take the other's."""
    destination = Destination(Place("nas", "/nas"), layout=layout)
    with pytest.raises(ConfigurationError, match=r"^nas: the datasets 'run 1' and 'run 2' would both lie in '.*P1"):
        check_apart(destination, "j", [FIRST, SECOND])


@pytest.mark.parametrize(
    "layout", ["{path}", "{job}/{path}", "{dataset}/{path}", "{plate}/{dataset}/{path}", "{plate}_{date}/{path}"]
)
def test_a_layout_that_tells_datasets_apart_is_taken(layout: str) -> None:
    check_apart(Destination(Place("nas", "/nas"), layout=layout), "j", [FIRST, SECOND])


def test_datasets_whose_files_begin_with_other_names_may_share_a_folder() -> None:
    days = [Dataset(day, (Part("", begins=day),), (("year", "2026"),)) for day in ("D20260101", "D20260102")]
    check_apart(Destination(Place("nas", "/nas"), layout="{year}/{path}"), "j", days)
