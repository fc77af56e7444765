"""Is a plate of a Yokogawa CV7000 or CV8000 whole?

Source of the format: a run of a CV8000 (release R2.06.03) in the test data, from faim-ipa; its ``MeasurementData.mlf``
has a record for each image, and ``MeasurementDetail.mrf`` says when the measurement began and ended.
"""

from __future__ import annotations

from collections.abc import Mapping

from coldchain.instruments.cellpainting.markup import Refused
from coldchain.instruments.cellpainting.names import well_name
from coldchain.instruments.cellpainting.plate import Files, Findings, Wanted, below, kept, look_for, moment
from coldchain.verdict import Remark

MOST_IMAGES = 1_000_000
DETAIL = (
    "Title",
    "BeginTime",
    "EndTime",
    "Status",
    "TargetSystem",
    "ReleaseNumber",
    "ColumnCount",
    "RowCount",
    "TimePointCount",
    "FieldCount",
    "ZCount",
    "MeasurementSettingFileName",
)
TEXTS = {"Title", "MeasurementSettingFileName", "ReleaseNumber", "TargetSystem"}


class Records:
    """Reads a ``.mlf``: the images that were taken, and those that went wrong."""

    marks = frozenset({"MeasurementRecord"})
    texts = frozenset({"MeasurementRecord"})

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        """File name of each to the name that people would call it."""
        self.errors: list[str] = []
        self.wells: set[tuple[int, int]] = set()
        self.fields: set[str] = set()
        self.channels: set[str] = set()
        self._record: Mapping[str, str] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Keep where the image was taken."""
        self._record = attributes

    def closed(self, name: str, text: str) -> None:
        """Take a record; its text is a file name, or what went wrong."""
        if len(self.images) + len(self.errors) >= MOST_IMAGES:
            raise Refused(f"lists more than {MOST_IMAGES:,} images")
        record = self._record
        well = well_of(record)
        if record.get("Type") != "IMG" or not text:
            self.errors.append(f"{_named(record, well)} (recorded as {record.get('Type', 'nothing')})")
            return
        self.images[text] = _named(record, well)
        if well:
            self.wells.add(well)
        self.fields.add(record.get("FieldIndex", ""))
        self.channels.add(record.get("Ch", ""))


class Detail:
    """Reads a ``.mrf``."""

    marks = frozenset({"MeasurementDetail", "MeasurementChannel"})
    texts: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.about: dict[str, str] = {}
        self.pixel = ""

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Keep the attributes of the measurement, and the size of a pixel."""
        if name == "MeasurementDetail":
            self.about.update(attributes)
        else:
            self.pixel = self.pixel or attributes.get("HorizontalPixelDimension", "")

    def closed(self, name: str, text: str) -> None:
        """Everything stands in attributes."""


class Settings:
    """Reads a ``.mes``: which wells were selected, and what the channels are."""

    marks = frozenset({"TargetWell", "Channel"})
    texts = frozenset({"TargetWell"})

    def __init__(self) -> None:
        self.wells: set[tuple[int, int]] = set()
        self.channels: dict[str, str] = {}
        self.magnification = ""
        self._well: tuple[int, int] | None = None

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Keep a channel, or the place of a well."""
        if name == "TargetWell":
            self._well = well_of(attributes)
        elif len(self.channels) < 100 and (channel := attributes.get("Ch")):
            self.channels.setdefault(channel, attributes.get("Acquisition") or channel)
            self.magnification = self.magnification or attributes.get("Magnification", "")

    def closed(self, name: str, text: str) -> None:
        """Take a well, if it was selected."""
        if name == "TargetWell" and text == "true" and self._well:
            self.wells.add(self._well)


def judge_cv8000(files: Files) -> Findings:
    """The measurement must have ended, and every image of its list be there, from every well that was selected."""
    findings = Findings()
    records, ended = _records(files, findings), _detail(files, findings)
    settings = _settings(files, findings)
    if records:
        findings.counted = ended
        _count(files, findings, records[0], records[1])
        if unseen := settings.wells - records[1].wells:
            names = [well_name(row, column) for row, column in sorted(unseen)]
            more = ", …" if len(names) > 3 else ""
            findings.doubts.append(f"no image of {len(names):,} selected wells: {', '.join(names[:3])}{more}")
    used = records[1].channels if records else set()
    findings.catalogue |= {
        "channels": [name for channel, name in sorted(settings.channels.items()) if channel in used],
        "images_found": sum(1 for path in files.images if not path.rpartition("/")[2].startswith(("DC_", "SC_"))),
    }
    findings.catalogue |= kept({"Magnification": settings.magnification}, ("Magnification",))
    return findings


def _records(files: Files, findings: Findings) -> tuple[str, Records] | None:
    """The list of images and the folder that it is in; None when there is none that could be read to its end."""
    lists = files.named(".mlf")
    if not lists:
        findings.doubts.append("there is no MeasurementData.mlf yet")
        return None
    records = Records()
    if not findings.read(files, lists[0], records, needed=True):
        return None
    return lists[0].rpartition("/")[0], records


def _count(files: Files, findings: Findings, folder: str, records: Records) -> None:
    look_for(files, findings, (Wanted(below(folder, name), said) for name, said in records.images.items()))
    findings.expected += len(records.errors)
    for error in records.errors:
        findings.lack(error)
    if not findings.expected:
        findings.doubts.append("MeasurementData.mlf lists no image")
    findings.catalogue |= {
        "wells": len(records.wells),
        "fields": len(records.fields),
        "images_expected": findings.expected,
    }


def _detail(files: Files, findings: Findings) -> bool:
    """Whether the measurement ended, as far as anybody could read; what the detail says goes into the catalogue."""
    details = files.named(".mrf")
    if not details:
        findings.doubts.append("there is no MeasurementDetail.mrf yet")
        return False
    detail = Detail()
    if not findings.read(files, details[0], detail, needed=True):
        return False
    about = detail.about
    findings.catalogue |= kept(about, DETAIL) | {key: about[key] for key in TEXTS if about.get(key)}
    findings.catalogue |= kept({"HorizontalPixelDimension": detail.pixel}, ("HorizontalPixelDimension",))
    findings.catalogue |= {"start": moment(about.get("BeginTime")), "end": moment(about.get("EndTime"))}
    if files.look.job.personal and about.get("OperatorName"):
        findings.catalogue["OperatorName"] = about["OperatorName"]
    if about.get("Status", "0") != "0":
        findings.remarks.append(
            Remark(files.others[details[0]].path, f"its Status is {about['Status']}, that of a good measurement is 0")
        )
    if not about.get("EndTime"):
        findings.doubts.append("MeasurementDetail.mrf has no EndTime: the measurement did not end")
        return False
    return True


def _settings(files: Files, findings: Findings) -> Settings:
    settings = Settings()
    for path in files.named(".mes"):
        findings.read(files, path, settings, needed=False)
    for path in files.named(".wpp")[:1]:
        product = Product()
        if findings.read(files, path, product, needed=False):
            findings.catalogue |= product.about
    return settings


class Product:
    """Reads a ``.wpp``: which plate it is."""

    marks = frozenset({"WellPlateProduct"})
    texts: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.about: dict[str, object] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Keep who made the plate, and as what."""
        said = {"PlateTypeName": "Name", "ProductID": "ProductID", "Manufacturer": "Manufacturer"}
        self.about = {key: attributes[there] for key, there in said.items() if attributes.get(there)}

    def closed(self, name: str, text: str) -> None:
        """Everything stands in attributes."""


def well_of(record: Mapping[str, str]) -> tuple[int, int] | None:
    """Row and column, from 1 on; None where there is no sense in them."""
    row, column = record.get("Row", ""), record.get("Column", "")
    if not (row.isascii() and row.isdigit() and column.isascii() and column.isdigit()):
        return None
    if not (len(row) <= 3 and len(column) <= 3 and 1 <= int(row) <= 26 * 27):
        return None
    return int(row), int(column)


def _named(record: Mapping[str, str], well: tuple[int, int] | None) -> str:
    """An image as people name it: "D08 f1 z1 ch1", and "t2" where it is not the first time point."""
    parts = [well_name(*well) if well else "?"]
    if record.get("TimePoint", "1") != "1":
        parts.append(f"t{record['TimePoint']}")
    parts += [f"f{record.get('FieldIndex', '?')}", f"z{record.get('ZIndex', '?')}", f"ch{record.get('Ch', '?')}"]
    return " ".join(parts)
