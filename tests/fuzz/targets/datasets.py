"""Which parsers judge a whole dataset, one file of which is not what its instrument writes?

The first byte of an input says which file of the dataset has the rest as its content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from coldchain.config.values import Job
from coldchain.instruments.base import Instrument, open_instrument
from coldchain.ledger.columns import canonical_json
from coldchain.ledger.manifest import ManifestHeader, Told, json_lines
from coldchain.ledger.manifest_read import read_whole_manifest
from coldchain.model import REST, Place
from coldchain.operate.examine import examine
from coldchain.testing import MemoryStore
from coldchain.verdict import Condition, Verdict
from tests.fuzz.target import Target
from tests.fuzz.targets.cytometers import ADC, HDR, IMD, fcs_of
from tests.fuzz.targets.tiffs import classic

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Files = Mapping[str, bytes]


def judged(instrument: Instrument, files: Files, flag: str = "") -> Verdict:
    """What the instrument says of the dataset that these files are."""
    store = MemoryStore(f"memory://fuzz-{instrument.name}")
    for path, content in files.items():
        store.put(path, content)
    job = Job("fuzz", Place("fuzz", store.url), (), instrument.name, personal=True, flag=flag)
    try:
        found = [one.verdict for one in examine(instrument, store, job, NOW) if one.dataset.name != REST]
    finally:
        store.forget()
    assert len(found) == 1, "a dataset is found by its names, whatever is in the files"
    return found[0]


def survives(verdict: Verdict) -> None:
    """A verdict is kept by the ledger and told by a manifest, whatever headers brought into it."""
    values = json.loads(canonical_json(verdict.as_json()))
    assert canonical_json(Verdict.from_json(values).as_json()) == canonical_json(verdict.as_json())
    told = Told("fuzz", verdict, NOW, NOW, None)
    header = ManifestHeader("fuzz", "dataset", "disk", "ab" * 16, (1, "cd" * 32), NOW, "1", told)
    read, units, records = read_whole_manifest(json_lines(header, [], verdict.units))
    assert read.acquisition is not None
    assert len(list(units)) == len(verdict.units)
    assert not list(records)


def target(name: str, files: Files, *, flag: str = "", slow: bool = False, words: tuple[bytes, ...] = ()) -> Target:
    """The target of one kind of dataset; its seeds are the files, each in its place."""
    instrument, paths = open_instrument(name.partition("-")[0]), sorted(files)
    good = {Condition.COMPLETE} | ({Condition.UNKNOWN} if instrument.name == "cytof" else set())

    def run(content: bytes) -> bool:
        path = paths[content[0] % len(paths)] if content else paths[0]
        verdict = judged(instrument, {**files, path: content[1:]}, flag)
        survives(verdict)
        return verdict.condition in good

    seeds = tuple(bytes([number]) + files[path] for number, path in enumerate(paths))
    return Target(name, run, seeds, words, slow)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


# --- the datasets -----------------------------------------------------------------------------------------------------

CYTOF: Files = {"run/a.imd": IMD, "run/a.fcs": fcs_of(), "run/b.001": fcs_of(b"FCS2.0")}

_BIN = "D20230810/D20230810T113059_IFCB134"
IFCB: Files = {
    f"{_BIN}.hdr": HDR.replace(b"triggerCount: 2", b"triggerCount: 3"),
    f"{_BIN}.adc": ADC,
    f"{_BIN}.roi": bytes(260),
}

_RUN = "202205231554_Mouse_VMSC01101"
_RAW, _OUT = f"merfish_raw_data/{_RUN}", f"merfish_output/{_RUN}/region_0"
MERSCOPE: Files = {
    f"{_RAW}/experiment.json": _json({
        "fovCount": 2, "startDateTime": "2022-05-23T15:54:00", "codebookName": "codebook.csv", "userId": "me",
        "regionSummaries": [{"startIndex": 0, "endIndex": 1, "name": "a"}], "sampleThickness": 10.5,
    }),
    f"{_RAW}/settings/protocol.json": _json([
        {"Wash": {}}, {"AcquireTiledImageStack": {"base_name": "stack_0", "stack_configuration": "C:\\x\\z.toml"}},
    ]),
    f"{_RAW}/settings/z.toml": b"z_positions = [1.0, 2.0]\n",
    f"{_RAW}/settings/positions.csv": b"0,0\n1,1\n",
    f"{_RAW}/dataorganization.csv": b"channelName,imageType,imagingRound,frame\nbit1,stack,0,[0 1]\n",
    f"{_RAW}/codebook.csv": b"name,bit1\n",
    **{f"{_RAW}/data/stack_0_{fov}.dax": bytes(2 * 2 * 16 * 16) for fov in (0, 1)},
    **{f"{_RAW}/data/stack_0_{fov}.inf": b"frame dimensions = 16 x 16\nnumber of frames = 2\n" for fov in (0, 1)},
    **{f"{_RAW}/{mark}": b"" for mark in ("EXPERIMENT_FINISHED", "RAW_DATA_SYNC_FINISHED", "MERLIN_FINISHED")},
    f"{_OUT}/images/manifest.json": _json({
        "microns_per_pixel": 0.108, "mosaic_width_pixels": 8, "bbox_microns": [0, 1.5, 2, 3],
        "mosaic_files": [{"stain": "DAPI", "z": 0, "file_name": "mosaic_DAPI_z0.tif"}],
    }),
    f"{_OUT}/images/mosaic_DAPI_z0.tif": classic(),
    f"{_OUT}/images/micron_to_mosaic_pixel_transform.csv": b"1 0 0\n",
    **{f"{_OUT}/{name}.csv": b"a\n" for name in ("cell_by_gene", "cell_metadata", "detected_transcripts")},
}  # fmt: skip

_SESSION = "lab/Subjects/mouse/2022-05-23/001"
RIG: Files = {
    f"{_SESSION}/transfer_me.flag": b"",
    f"{_SESSION}/raw_behavior_data/_iblrig_taskSettings.raw.json": _json({
        "PYBPOD_PROTOCOL": "task", "SUBJECT_WEIGHT": 23.5, "PYBPOD_CREATOR": ["me", "id"], "NTRIALS": 2,
        "SESSION_DATETIME": "2022-05-23T15:54:00.123456", "SESSION_END_TIME": "2022-05-23T16:54:00",
    }),
    f"{_SESSION}/raw_behavior_data/_iblrig_taskData.raw.jsonable": b'{"trial": 1}\n{"trial": 2}\n',
    f"{_SESSION}/raw_video_data/_iblrig_leftCamera.frame_counter.bin": bytes(16),
    f"{_SESSION}/raw_video_data/_iblrig_leftCamera.GPIO.bin": bytes(16),
    f"{_SESSION}/raw_video_data/_iblrig_leftCamera.raw.mp4": b"x",
    f"{_SESSION}/raw_video_data/_iblrig_leftCamera.timestamps.ssv": b"1\n",
}  # fmt: skip

_HARMONY = "BR1__2022-05-23T15_54_00-Measurement 1/Images"
_IMAGES = "".join(
    f"<Image Version='1'><id>{n}</id><State>Ok</State><URL>r01c0{n}f01p01-ch1sk1fk1fl1.tiff</URL>"
    f"<Row>1</Row><Col>{n}</Col><FieldID>1</FieldID><ChannelID>1</ChannelID><ChannelName>DNA</ChannelName>"
    f"<AbsTime>2022-05-23T15:54:0{n}</AbsTime><ImageResolutionX Unit='m'>5.9E-07</ImageResolutionX></Image>"
    for n in (1, 2)
)
HARMONY: Files = {
    f"{_HARMONY}/Index.idx.xml": (
        '<?xml version="1.0" encoding="utf-8"?><EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">'
        "<User>me</User><Plates><Plate><PlateID>0042</PlateID><MeasurementID>ab-cd</MeasurementID>"
        "<MeasurementStartTime>2022-05-23T15:54:00+02:00</MeasurementStartTime><PlateRows>16</PlateRows></Plate></Plates>"
        "<Wells><Well><id>0101</id><Image id='1'/><Image id='2'/></Well></Wells>"
        f"<Maps><Map><Entry ChannelID='1'><ChannelName>DNA</ChannelName></Entry></Map></Maps><Images>{_IMAGES}</Images>"
        "</EvaluationInputData>"
    ).encode(),
    **{f"{_HARMONY}/r01c0{n}f01p01-ch1sk1fk1fl1.tiff": classic() for n in (1, 2)},
}

_EXPORT = "Screen_Plate_7"
_HTD = (
    b'"HTSInfoFile", Version 1.0\r\n"Description", "caf\xe9"\r\n"TimePoints", 1\r\n"ZSteps", 1\r\n'
    b'"XWells", 2\r\n"YWells", 1\r\n"WellsSelection1", TRUE, TRUE\r\n"Sites", TRUE\r\n'
    b'"XSites", 1\r\n"YSites", 2\r\n"SiteSelection1", TRUE\r\n"SiteSelection2", FALSE\r\n'
    b'"Waves", TRUE\r\n"NWavelengths", 1\r\n"WaveName1", "DAPI"\r\n"WaveCollect1", 1\r\n'
    b'"UniquePlateIdentifier", "x"\r\n"EndFile"\r\n'
)
IMAGEXPRESS: Files = {
    f"{_EXPORT}/Screen.HTD": _HTD,
    **{f"{_EXPORT}/Screen_{well}_s1_w1.TIF": classic() for well in ("A01", "A02")},
}

_YOKOGAWA = "Plate_20220523_155400/Plate"
_NS = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
_TAKEN = ("Plate_B03_T0001F001L01A01Z01C01.tif", "Plate_B04_T0001F001L01A01Z01C01.tif")
CV8000: Files = {
    f"{_YOKOGAWA}/MeasurementData.mlf": (
        f'<?xml version="1.0" encoding="utf-8"?><bts:MeasurementData {_NS} bts:Version="1.0">'
        + "".join(
            f'<bts:MeasurementRecord bts:Time="2022-05-23T15:54:00" bts:Type="IMG" bts:Column="{column}" bts:Row="2"'
            f' bts:FieldIndex="1" bts:TimePoint="1" bts:ZIndex="1" bts:Ch="1">{image}</bts:MeasurementRecord>'
            for column, image in zip((3, 4), _TAKEN, strict=True)
        )
        + "</bts:MeasurementData>"
    ).encode(),
    f"{_YOKOGAWA}/MeasurementDetail.mrf": (
        f'<bts:MeasurementDetail {_NS} bts:Title="a" bts:BeginTime="2022-05-23T15:54:00"'
        ' bts:EndTime="2022-05-23T16:54:00" bts:Status="0" bts:RowCount="16" bts:OperatorName="me">'
        '<bts:MeasurementChannel bts:HorizontalPixelDimension="0.325"/></bts:MeasurementDetail>'
    ).encode(),
    f"{_YOKOGAWA}/a.mes": (
        f'<bts:MeasurementSetting {_NS}><bts:TargetWell bts:Column="3" bts:Row="2">true</bts:TargetWell>'
        '<bts:Channel bts:Ch="1" bts:Acquisition="BP445" bts:Magnification="20"/></bts:MeasurementSetting>'
    ).encode(),
    f"{_YOKOGAWA}/a.wpp": f'<bts:WellPlateProduct {_NS} bts:Name="P" bts:ProductID="1"/>'.encode(),
    **{f"{_YOKOGAWA}/{image}": classic() for image in _TAKEN},
}

_XML = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&lt;",
    b'encoding="utf-7"',
    b'encoding="utf-16"',
    b"<![CDATA[",
    b"<a>" * 70,
)
TARGETS = (
    target("cytof", CYTOF),
    target("ifcb", IFCB),
    target("merscope", MERSCOPE),
    target("rig", RIG, flag="transfer_me.flag"),
    target("cellpainting-harmony", HARMONY, words=_XML),
    target("cellpainting-imagexpress", IMAGEXPRESS, words=(b'"EndFile"', b"TRUE, " * 500, b'"XWells", 9999')),
    target("cellpainting-cv8000", CV8000, words=_XML),
)
