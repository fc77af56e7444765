"""What do the small files of a CV8000 say?

Elements, attributes and their order are those of a real run (see ``cv8000.py``), as is the byte order mark in front of
all but ``MeasurementData.mlf``.  Unlike the real ones the corrections name one objective only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import quoteattr

from coldchain.simulate.cellpainting.plate import CHANNELS, COLUMNS, ROWS, Channel, Plate, Shot

SYSTEM, RELEASE = "CV8000", "R2.06.03"
BTS, LSC = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0", "http://www.yokogawa.co.jp/LSC/CorrectionSchema/1.0"
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
SETTINGS = "Cell-Painting-20x.mes"
PRODUCT_ID, PRODUCT_NAME = "1009680384", "#P384-1.5H-N"
PRODUCT = f"{PRODUCT_ID}_Cellvis_{PRODUCT_NAME}.wpp"
"""The real name for 96 wells is ``1009680001_Cellvis_#P96-1.5H-N.wpp``."""
CAMERAS = ("DC_DCAM#1_CAM3.tif", "DC_DCAM#2_CAM4.tif")
OPERATOR = "simuser"
"""A real ``.mrf`` names the person who was logged in."""
OBJECTIVE = {"ObjectiveID": 20200, "Objective": "20x v2", "Magnification": 20}
CONFOCAL = {"MethodID": 1, "Method": "Confocal Fluorescence 405/488/561/640 nm"}
BRIGHT = {"MethodID": 2, "Method": "Bright Field"}
LIGHTS = {"405nm": 100, "488nm": 50, "561nm": 50, "640nm": 50, "Lamp": 30}
FILTERS = ("BP445/45", "BP525/50", "BP600/37", "BP676/29")
PITCH_MICRONS, MICRONS_PER_PIXEL = 650.0, 0.325


def image_name(name: str, shot: Shot) -> str:
    """``<plate>_D08_T0001F001L01A01Z01C01.tif``; each channel is an action (A) of its own."""
    channel = shot.channel
    return f"{name}_{shot.well.name}_T0001F{shot.site:03d}L01A{channel:02d}Z01C{channel:02d}.tif"


def shadings(plate: Plate) -> list[str]:
    """The names of the images that even out the light, one a channel."""
    return [_shading(number, channel) for number, channel in enumerate(CHANNELS[: plate.channels], 1)]


def _shading(number: int, channel: Channel) -> str:
    return f"SC_{channel.filter.replace('/', '-')}_20x v2_M01_CH{number:02d}.tif"


def records_head() -> bytes:
    """How ``MeasurementData.mlf`` begins."""
    return f'{DECLARATION}\n<bts:MeasurementData bts:Version="1.0" xmlns:bts="{BTS}">\n'.encode()


def records_tail() -> bytes:
    """How it ends."""
    return b"</bts:MeasurementData>\n"


def record(plate: Plate, name: str, shot: Shot) -> bytes:
    """The line of one image."""
    x, y = plate.site_microns(shot.site, PITCH_MICRONS)
    about = {"Type": "IMG", "Time": shot.taken.isoformat(timespec="milliseconds")}
    where = {"Column": shot.well.column, "Row": shot.well.row, "TimePoint": 1, "FieldIndex": shot.site, "ZIndex": 1}
    action = {"TimelineIndex": 1, "ActionIndex": shot.channel, "Action": "3D"}
    position = {"X": f"{x:.1f}", "Y": f"{y:.1f}", "Z": "0.0", "Ch": shot.channel}
    inner = _attributes("bts", {**about, **where, **action, **position})
    return f"<bts:MeasurementRecord{inner}>{image_name(name, shot)}</bts:MeasurementRecord>\n".encode()


def traced(name: str, shot: Shot) -> bytes:
    """What ``TRACE<date>.log`` says before an image is written."""
    time = f"{shot.taken:%Y/%m/%d,%H:%M:%S},.{shot.taken.microsecond // 1000:03d},-355337"
    saving = f"Measurement,Measurement.measure_timelapse,_m_Timelapse,_init_frame_save,{image_name(name, shot)},None"
    return f"{time}93,Portal,RemoteDevice,ReaderControl,--->,AF_MANU,34,0,OK,0.0,0\n{time}50,{saving}\n".encode()


def detail(plate: Plate, name: str) -> bytes:
    """``MeasurementDetail.mrf``: what was imaged, when it began and ended."""
    pixels = {"HorizontalPixels": plate.side, "VerticalPixels": plate.side}
    about = {"Version": "1.0", "OperatorName": OPERATOR, "Title": name, "Application": ""}
    times = {"BeginTime": plate.start.isoformat(), "EndTime": plate.end.isoformat()}
    counts = {"ColumnCount": COLUMNS, "RowCount": ROWS, "TimePointCount": 1, "FieldCount": plate.sites, "ZCount": 1}
    system = {"TargetSystem": SYSTEM, "ReleaseNumber": RELEASE, "Status": 0}
    files = {"Name": name, "WellPlateFileName": f"{name}.wpi", "WellPlateProductFileName": PRODUCT}
    inner = [_element("MeasurementSamplePlate", files)]
    for number, channel in enumerate(CHANNELS[: plate.channels], 1):
        long = channel.emission_nm > 550
        size = {"HorizontalPixelDimension": MICRONS_PER_PIXEL, "VerticalPixelDimension": MICRONS_PER_PIXEL}
        camera = {"CameraNumber": 4 if long else 3, "InputBitDepth": 16, "InputLevel": 10000}
        filters = {"FilterWheelPosition": 7 if long else 6, "FilterPosition": 1}
        shading = {"ShadingCorrectionSource": _shading(number, channel), "ObjectiveMagnificationRatio": 1}
        original = {f"Original{key}": value for key, value in pixels.items()}
        inner += [
            _element("MeasurementChannel", {"Ch": number} | size | camera | pixels | filters | shading | original)
        ]
    said = about | times | {"MeasurementSettingFileName": SETTINGS} | counts | system
    return _document("MeasurementDetail", said, inner)


def settings(plate: Plate) -> bytes:
    """The ``.mes``: wells, positions, actions and channels."""
    period = round((plate.end - plate.start).total_seconds())
    timeline = {"Name": "Time Line 1", "InitialTime": 0, "Period": period, "Interval": 0, "ExpectedTime": period}
    timeline |= {"Color": "#ff44ee66", "OverrideExpectedTime": "false"}
    inner = [
        "<bts:Timelapse>",
        _element("Timeline", timeline, closed=False),
        '<bts:WellSequence bts:IsSelected="true">',
    ]
    for well in plate.wells:
        inner.append(_element("TargetWell", {"Column": well.column, "Row": well.row}, "true"))
    inner += ["</bts:WellSequence>", '<bts:PointSequence bts:Method="FixedPosition">']
    inner.append('<bts:FixedPosition bts:IsProportional="false">')
    for x, y in (plate.site_microns(site, PITCH_MICRONS) for site in range(1, plate.sites + 1)):
        inner.append(_element("Point", {"X": x, "Y": y}))
    inner += ["</bts:FixedPosition>", "</bts:PointSequence>"]
    inner.append('<bts:ActionList bts:RunMode="sequential" bts:AFSearch="afparam">')
    slices = {"XOffset": 0, "YOffset": 0, "AFShiftBase": 5, "TopDistance": 0, "BottomDistance": 0, "SliceLength": 3}
    action = _element("ActionAcquire3D", slices | {"UseSoftFocus": "false"}, closed=False)
    for number in range(1, plate.channels + 1):
        inner += [action, f"<bts:Ch>{number}</bts:Ch>", "</bts:ActionAcquire3D>"]
    inner += ["</bts:ActionList>", "</bts:Timeline>", "</bts:Timelapse>", *_lights(), *_channels(plate)]
    about = {"Version": "1.0", "ProductID": PRODUCT_ID, "Application": "", "Columns": COLUMNS, "Rows": ROWS}
    return _document("MeasurementSetting", about, inner)


def _lights() -> Iterator[str]:
    yield '<bts:LightSourceList bts:UseCalibratedLaserPower="true">'
    for name, power in LIGHTS.items():
        length = name.removesuffix("nm") if name != "Lamp" else "0"
        kind = "Laser" if name != "Lamp" else name
        yield _element("LightSource", {"Name": name, "Type": kind, "WaveLength": length, "Power": power})
    yield "</bts:LightSourceList>"


def _channels(plate: Plate) -> Iterator[str]:
    yield "<bts:ChannelList>"
    for number, channel in enumerate(CHANNELS[: plate.channels], 1):
        light = "Lamp" if channel.bright else f"{channel.excitation_nm}nm"
        method = BRIGHT if channel.bright else CONFOCAL
        optics = {"FilterID": FILTERS.index(channel.filter) + 1, "Acquisition": channel.filter}
        camera = {"ExposureTime": 100, "Binning": 1, "Color": "#FF002FFF", "MinLevel": 0, "MaxLevel": 0.5}
        csu = {"CSUID": 2, "PinholeDiameter": 50, "Kind": "BrightField" if channel.bright else "ConfocalFluorescence"}
        rest = {"CameraType": "DCAM", "InputLevel": 10000, "Fluorophore": channel.harmony}
        said = {"Ch": number, "Target": light.removesuffix("nm")} | OBJECTIVE | method | optics | camera | csu | rest
        yield _element("Channel", said, closed=False)
        yield f"<bts:LightSourceName>{light}</bts:LightSourceName>"
        yield "</bts:Channel>"
    yield "</bts:ChannelList>"


def well_plate(name: str) -> bytes:
    """The ``.wpi``: this plate."""
    about = {"Version": "1.0", "Name": name, "ProductID": PRODUCT_ID, "Usage": "SamplePlate", "DensityUnit": "uM"}
    inner = ["<bts:Description>Default Plate Information</bts:Description>"]
    return _document("WellPlate", about | {"Columns": COLUMNS, "Rows": ROWS}, inner)


def product() -> bytes:
    """The ``.wpp``: plates of this make."""
    about = {"Version": "1.0", "Name": PRODUCT_NAME, "ProductID": PRODUCT_ID, "Manufacturer": "Cellvis"}
    size = {"Width": 127.6, "Depth": 85.75, "Height": 14.3, "Columns": COLUMNS, "Rows": ROWS}
    pitch = {"ColumnPitch": 4.5, "RowPitch": 4.5, "LeftMargin": 12.05, "TopMargin": 9.11}
    rest = {"WellShape": "Square", "BottomMaterial": "Glass", "Usage": "Assay", "Locked": "false"}
    return _document("WellPlateProduct", {**about, **size, **pitch, **rest}, [])


def crosstalk() -> bytes:
    """``crosstalk_parameter.xml``."""
    inner = []
    for number, name in enumerate(FILTERS, 1):
        low, high = int(name[2:5]) - int(name[6:]) // 2, int(name[2:5]) + int(name[6:]) // 2
        about = {"FilterID": number, "CameraID": 3 if number < 3 else 4, "Acquisition": name}
        light = {"AverageTransmittance": 94, "MinWaveLength": low, "MaxWaveLength": high}
        inner.append(_element("EMFilter", {**about, **light}, space="lsc"))
    return _document("CrosstalkParameter", {"Version": 1}, inner, "lsc")


def geometry() -> bytes:
    """``geometry_parameter.xml``; the misspelt attribute is in the real file."""
    inner = ['<lsc:AffineParameterList lsc:Verstion="2.0.0">']
    for number, name in enumerate(FILTERS, 1):
        about = {**CONFOCAL, **OBJECTIVE, "FilterID": number, "Acquisition": name, "Use": "false"}
        inner.append(
            _element("AffineParameter", about | {"UpdateTime": "2017-03-15 14:40:33.1268926+09:00"}, space="lsc")
        )
    return _document("GeometryParameter", {"Mode": "Affine"}, [*inner, "</lsc:AffineParameterList>"], "lsc")


def _document(name: str, attributes: Mapping[str, object], inner: list[str], space: str = "bts") -> bytes:
    about = f'{_attributes(space, attributes)} xmlns:{space}="{BTS if space == "bts" else LSC}"'
    if not inner:
        return "\n".join([DECLARATION, f"<{space}:{name}{about} />", ""]).encode("utf-8-sig")
    lines = [DECLARATION, f"<{space}:{name}{about}>", *(f"  {line}" for line in inner), f"</{space}:{name}>", ""]
    return "\n".join(lines).encode("utf-8-sig")


def _element(
    name: str, attributes: Mapping[str, object], text: str = "", *, closed: bool = True, space: str = "bts"
) -> str:
    begun = f"<{space}:{name}{_attributes(space, attributes)}"
    if not closed:
        return f"{begun}>"
    return f"{begun}>{text}</{space}:{name}>" if text else f"{begun} />"


def _attributes(space: str, attributes: Mapping[str, object]) -> str:
    return "".join(f" {space}:{key}={quoteattr(str(value))}" for key, value in attributes.items())
