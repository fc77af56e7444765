"""Is a plate of Harmony (Opera Phenix, Operetta) whole?

Source of the format: the indices of Harmony V5 and V7 in the test data (Broad Institute, University Children's Hospital
Zurich); they differ in their namespaces, and V7 keeps what concerns a channel in ``Maps``, apart from the images.
"""

from __future__ import annotations

from collections.abc import Mapping

from coldchain.instruments.cellpainting.markup import Refused
from coldchain.instruments.cellpainting.names import INDEX, harmony_image
from coldchain.instruments.cellpainting.plate import Files, Findings, Wanted, below, kept, look_for, moment
from coldchain.model import Entry
from coldchain.verdict import Remark

MOST_IMAGES = 1_000_000
"""The largest plates have 27,648 in one time point."""
ABOUT = (
    "PlateID",
    "Name",
    "MeasurementID",
    "MeasurementStartTime",
    "PlateTypeName",
    "PlateRows",
    "PlateColumns",
    "InstrumentType",
    "ImageResolutionX",
    "ObjectiveMagnification",
)
PERSONAL = ("User", "DataFilePath", "FileComment")
NAMES = {"PlateID", "Name", "MeasurementID", "PlateTypeName", "InstrumentType", *PERSONAL}
"""Texts even where they look like numbers: plate 0042 is not plate 42."""


class Index:
    """Reads an ``Index.idx.xml``: what it says of the plate, and which images it lists."""

    marks = frozenset({"Plates", "Wells", "Maps", "Images", "Image", "Entry"})
    texts = frozenset(
        {*ABOUT, *PERSONAL, "id", "State", "URL", "Row", "Col", "FieldID", "ChannelID", "ChannelName", "AbsTime"}
    )

    def __init__(self) -> None:
        self.about: dict[str, str] = {}
        self.urls: dict[str, str] = {}
        """Each image to the name that people would call it."""
        self.nameless = 0
        """Images without a URL."""
        self.promised = 0
        """How many images the wells list."""
        self.wells: set[tuple[str, str]] = set()
        self.fields: set[str] = set()
        self.channels: dict[str, str] = {}
        self.end = ""
        self._section = self._channel = ""
        self._image: dict[str, str] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Notice where in the index we are."""
        if name == "Image":
            self._image = {}
            self.promised += self._section == "Wells"
        elif name == "Entry":
            self._channel = attributes.get("ChannelID", "")
        else:
            self._section = name

    def closed(self, name: str, text: str) -> None:
        """Take a value, or the image that ends here."""
        if name == "Image":
            if self._section == "Images":
                self._take(self._image)
        elif name in self.marks:
            if name == self._section:
                self._section = ""
        elif self._section == "Images":
            self._image[name] = text
        elif name == "ChannelName" and self._channel:
            self.channels.setdefault(self._channel, text)
        elif self._section != "Wells":
            self.about.setdefault(name, text)

    def _take(self, image: Mapping[str, str]) -> None:
        if len(self.urls) >= MOST_IMAGES:
            raise Refused(f"lists more than {MOST_IMAGES:,} images")
        for key in ABOUT:
            if key in image:
                self.about.setdefault(key, image[key])
        self.wells.add((image.get("Row", ""), image.get("Col", "")))
        self.fields.add(image.get("FieldID", ""))
        if channel := image.get("ChannelID"):
            self.channels.setdefault(channel, image.get("ChannelName") or channel)
        self.end = max(self.end, image.get("AbsTime", ""))
        state, url = image.get("State", "Ok"), image.get("URL")
        if not url:
            self.nameless += 1
            return
        self.urls[url] = harmony_image(url) if state == "Ok" else f"{harmony_image(url)} (its State is {state})"


def judge_harmony(files: Files) -> Findings:
    """Every image of the index must be there; an index that only corrects (``Index.ref.xml``) says nothing of that."""
    findings = Findings()
    indices = [path for path in files.named(".xml") if INDEX.fullmatch(path)]
    lists = [path for path in indices if not is_reference(path)]
    if not indices:
        findings.doubts.append("there is no Images/Index.idx.xml or Images/Index.xml yet")
    elif not lists:
        findings.note = f"there is only {indices[0]}, which corrects and lists nothing of its own"
    for path in lists:
        _judge_index(files, findings, path)
    findings.catalogue["images_found"] = len(files.images)
    return findings


def is_reference(path: str) -> bool:
    """Whether an index only refers to another one: that of a flat-field export."""
    found = INDEX.fullmatch(path)
    return bool(found and found["kind"].lower() == ".ref")


def _judge_index(files: Files, findings: Findings, path: str) -> None:
    index = Index()
    whole = findings.read(files, path, index, needed=True)
    _describe(files, findings, index)
    if not whole:
        return
    findings.catalogue |= {"wells": len(index.wells), "fields": len(index.fields), "end": moment(index.end)}
    findings.counted = True
    folder = path.rpartition("/")[0]
    look_for(files, findings, (Wanted(below(folder, url), name) for url, name in index.urls.items()))
    findings.expected += index.nameless
    for _ in range(index.nameless):
        findings.lack("an image to which the index gives no URL")
    findings.catalogue["images_expected"] = findings.expected
    name, entry = path.rpartition("/")[2], files.others[path]
    if not findings.expected:
        findings.doubts.append(f"{name} lists no image")
    _compare(findings, index, entry)


def _compare(findings: Findings, index: Index, entry: Entry) -> None:
    described = len(index.urls) + index.nameless
    if index.promised and index.promised != described:
        findings.remarks.append(
            Remark(entry.path, f"its wells list {index.promised:,} images, and {described:,} are described")
        )


def _describe(files: Files, findings: Findings, index: Index) -> None:
    about = dict(index.about)
    said: dict[str, object] = {
        key: value if key not in NAMES else about[key] for key, value in kept(about, ABOUT).items()
    }
    if files.look.job.personal:
        said |= {key: about[key] for key in PERSONAL if about.get(key)}
    channels = sorted(index.channels.items(), key=lambda channel: (len(channel[0]), channel[0]))
    said |= {
        "channels": [name for _, name in channels],
        "start": moment(about.get("MeasurementStartTime")),
    }
    findings.catalogue |= said
