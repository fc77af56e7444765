"""Is the output of a run whole: the mosaics that its manifests list, and the tables of every region?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.merscope.finding import Finding
from coldchain.instruments.merscope.headers import Texts, plain
from coldchain.instruments.merscope.names import OUTPUT, REGION
from coldchain.instruments.tiff import Flaw, flaw_of
from coldchain.model import Entry

MANIFEST = "images/manifest.json"
TABLES = ("cell_by_gene", "cell_metadata", "detected_transcripts")
"""Each region has these, as .csv; .parquet would do as well."""
TRANSFORM = "micron_to_mosaic_pixel_transform.csv"
"""In ``images``; in Vizgen's own test data directly in the region."""
_MANIFEST_KEYS = ("microns_per_pixel", "mosaic_width_pixels", "mosaic_height_pixels", "bbox_microns")
_MOST_REGIONS = 1000


class Region:
    """The folder of one region."""

    def __init__(self, name: str, root: str) -> None:
        self.name = name
        self.root = root
        self.images: dict[str, Entry] = {}
        self.names: set[str] = set()
        """Which of the required files that lie directly in it are there."""


class Output:
    """The folder of the output."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.regions: dict[str, Region] = {}
        self.rows: list[dict[str, object]] = []
        """What the manifests say, one row a region."""

    def see(self, entry: Entry) -> None:
        """Take notice of one of its files."""
        name, _, inner = entry.path[len(self.root) + 1 :].partition("/")
        region = self.regions.get(name)
        if region is None:
            if not REGION.fullmatch(name) or len(self.regions) == _MOST_REGIONS:
                return
            region = self.regions[name] = Region(name, f"{self.root}/{name}")
        if inner.startswith("images/"):
            region.images[inner[7:]] = entry
        elif inner in _REQUIRED:
            region.names.add(inner)

    def finding(self, look: Look, texts: Texts, region_count: int) -> Finding:
        """Compare what is there with the manifests; ``region_count`` is what experiment.json says, or 0."""
        finding = Finding(OUTPUT)
        regions = sorted(self.regions.values(), key=lambda region: (len(region.name), region.name))
        number = max(region_count, 1)
        unseen = (name for name in map("region_{}".format, range(number)) if name not in self.regions)
        finding.short_by("regions", number, unseen, number - len(regions))
        for region in regions:
            self._region(region, look, texts, finding)
        finding.not_whole("mosaics")
        return finding

    def _region(self, region: Region, look: Look, texts: Texts, finding: Finding) -> None:
        finding.absent(f"{region.name}/{name}" for name in _absent(region))
        row: dict[str, object] = {"unit": region.name}
        self.rows.append(row)
        listed = self._listed(region, texts, finding, row)
        if not listed:
            return
        unseen = [name for name in listed if name not in region.images]
        names = (f"{region.name}/images/{name}" for name in unseen)
        finding.short_by("mosaics", len(listed), names, len(unseen))
        if not unseen:
            finding.facts.append(f"{len(listed):,} mosaics in {region.name}")
        for name in listed:
            if entry := region.images.get(name):
                _look_at_mosaic(entry, look, texts, finding)

    def _listed(self, region: Region, texts: Texts, finding: Finding, row: dict[str, object]) -> list[str]:
        """The names of the mosaics, by the manifest."""
        if "manifest.json" not in region.images:
            return []
        path = f"{region.root}/{MANIFEST}"
        manifest = texts.json(path)
        files = manifest.get("mosaic_files") if isinstance(manifest, dict) else None
        if not isinstance(manifest, dict) or not isinstance(files, list) or not files:
            if manifest is not None:
                texts.remark(path, "lists no mosaics")
            finding.doubts.append(f"the manifest of {region.name} lists no mosaics")
            return []
        row.update({key: plain(manifest[key]) for key in _MANIFEST_KEYS if key in manifest})
        names = [file.get("file_name") for file in files if isinstance(file, dict)]
        listed = list(dict.fromkeys(name for name in names if isinstance(name, str) and name))
        row["mosaics"] = len(listed)
        if len(listed) < len(files):
            texts.remark(path, f"lists {len(files):,} mosaics, of which {len(listed):,} have names of their own")
            finding.doubts.append(f"the manifest of {region.name} names not all of its mosaics")
        return listed


_REQUIRED = frozenset({TRANSFORM, *(f"{table}.{kind}" for table in TABLES for kind in ("csv", "parquet"))})


def _absent(region: Region) -> Iterable[str]:
    for table in TABLES:
        if not region.names & {f"{table}.csv", f"{table}.parquet"}:
            yield f"{table}.csv"
    if "manifest.json" not in region.images:
        yield MANIFEST
    if TRANSFORM not in region.images and TRANSFORM not in region.names:
        yield f"images/{TRANSFORM}"


def _look_at_mosaic(entry: Entry, look: Look, texts: Texts, finding: Finding) -> None:
    """See whether a TIFF ends where it must; what was found out is kept until the file changes."""
    path, stamp = entry.path, f"{entry.size_bytes} {entry.mtime_ns}"
    kept = look.recall(path, stamp)
    if isinstance(kept, list) and len(kept) == 2:
        flaw = Flaw(str(kept[0]), bool(kept[1])) if kept[0] else None
    elif not re.search(r"\.tiff?$", path, re.IGNORECASE):
        flaw = None
    else:
        try:
            flaw = flaw_of(lambda offset, length: look.piece(path, offset, length), entry.size_bytes)
        except StoreError as error:
            texts.remark(path, f"could not be read: {error.reason}")
            finding.doubts.append("a mosaic could not be read")
            return
        look.remember(path, stamp, [flaw.reason, flaw.cut] if flaw else ["", False])
    if flaw is not None and flaw.cut:
        finding.unwhole[path] = flaw.reason
    elif flaw is not None:
        texts.remark(path, flaw.reason)
        finding.doubts.append("a mosaic is no TIFF that can be followed")
