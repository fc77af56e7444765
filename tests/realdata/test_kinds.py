"""Are real instrument files carried, proved and brought back?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.realdata.field import Field, tree
from tests.realdata.life import arrives, comes_back, is_told, survives_its_ledger
from tests.realdata.sums import published

KINDS = {
    "ifcb": "folders",
    "cytof": "whole",
    "merscope": "*/*",
    "cellpainting": "*/*/*",
    "behaviour": "folders",
    "names": "*/*",
}


def live(field: Field, data: Path) -> None:
    here = arrives(field)
    said = published(data)
    below = str(field.source.relative_to(data)).encode()
    for place, there in field.data().items():
        for path in here:
            assert there[field.key(place, path)].sha256 == said[below + b"/" + path]
    comes_back(field, here, survives_its_ledger(field, here))
    assert tree(field.source) == here


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_arrives_and_comes_back(data: Path, tmp_path: Path, kind: str) -> None:
    live(Field(tmp_path, data / kind, datasets=KINDS[kind]), data)


MANNERS = [
    ("ifcb", "md5", ("{dataset}/{path}", "x/{job}/{path}"), "*/*"),
    ("behaviour", "blake3", ("x/{job}/{path}", "{path}"), "whole"),
    ("merscope", "sha256", ("{path}", "{dataset}/{path}"), "folders"),
]


@pytest.mark.parametrize(("kind", "digest", "layouts", "datasets"), MANNERS)
def test_two_destinations_with_layouts_and_other_digests(
    data: Path, tmp_path: Path, kind: str, digest: str, layouts: tuple[str, ...], datasets: str
) -> None:
    field = Field(tmp_path, data / kind, layouts, digest=digest, datasets=datasets)
    live(field, data)
    is_told(field, sorted(tree(field.source))[:5])
