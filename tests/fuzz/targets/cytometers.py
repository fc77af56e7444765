"""Which parsers read what cytometers write: FCS, IMD, and the bins of an IFCB?"""

from __future__ import annotations

from coldchain.instruments.cytof.fcs import read_fcs
from coldchain.instruments.cytof.imd import END, analytes_of, has_tail
from coldchain.instruments.cytof.rows import row_of
from coldchain.instruments.ifcb.adc import Table, is_surely, read_table
from coldchain.instruments.ifcb.hdr import read_header
from tests.fuzz.target import Target, keeps, reading

# --- FCS --------------------------------------------------------------------------------------------------------------


def fcs_of(version: bytes = b"FCS3.0", delimiter: bytes = b"/", *, following: bytes = b"") -> bytes:
    """Ten events of two 16-bit parameters."""
    words = {
        b"$BEGINDATA": b"%8d", b"$ENDDATA": b"%8d", b"$BEGINANALYSIS": b"0", b"$ENDANALYSIS": b"0",
        b"$BEGINSTEXT": b"0",
        b"$ENDSTEXT": b"0", b"$NEXTDATA": b"%8d", b"$MODE": b"L", b"$DATATYPE": b"I", b"$TOT": b"10", b"$PAR": b"2",
        b"$P1B": b"16", b"$P2B": b"16", b"$P1N": b"Ir191Di", b"$P1S": b"191Ir_DNA", b"$P2N": b"Time",
        b"$CYT": b"DVSSCIENCES",
        b"$DATE": b"23-MAY-2022", b"$BTIM": b"23:59:58.12", b"$ETIM": b"00:10:00", b"$OP": b"me",
        b"$BEGINDATETIME": b"2022-05-23T23:59:58", b"$CYTSN": b"7",
    }  # fmt: skip
    text = delimiter + b"".join(key + delimiter + value + delimiter for key, value in words.items())
    begin = 58 + len(text % (0, 0, 0))
    end = begin + 39
    whole = text % (begin, end, end + 1 if following else 0)
    head = version + b"    " + b"".join(b"%8d" % one for one in (58, 57 + len(whole), begin, end, 0, 0))
    return head + whole + bytes(range(40)) + following


def fcs(content: bytes) -> bool:
    """The header, the keywords, the data sets one behind the other, and what the catalogue keeps."""
    found = read_fcs(reading(content), len(content))
    if found is None:
        return False
    keeps(row_of(found, personal=True))
    keeps({"odd": found.odd, "cut": found.cut})
    return not (found.cut or found.odd)


# --- IMD --------------------------------------------------------------------------------------------------------------

_MARKER = (
    "<AcquisitionMarkers><Mass>{}</Mass><MassSymbol>{}</MassSymbol><ShortName>{}</ShortName>"
    "<Description>a &amp; b</Description></AcquisitionMarkers>"
)
_XML = "".join(_MARKER.format(*one) for one in (("190.96", "Ir", "DNA"), ("141.907", "Nd", ""), ("x", "", "CD19")))
IMD = b"\x01\x02\x03\x04" * 20 + b"\0" * 50 + f'<ExperimentSchema a="b">{_XML}'.encode("utf-16-le") + END


def imd(content: bytes) -> bool:
    """The tail."""
    names = analytes_of(content)
    assert len(names) <= 200
    assert all(len(name) <= 100 for name in names)
    keeps({"analytes": names})
    return has_tail(content) and len(names) > 0


# --- IFCB -------------------------------------------------------------------------------------------------------------

HDR = (
    b"softwareVersion: 2.0.0.0\r\nADCFileFormat: trigger#, ADC_time\r\nsampleTime: 2023-08-10T11:30:59Z\r\n"
    b"roiCount: 2\r\ntriggerCount: 2\r\nrunTime: 1200.5\r\ninhibitTime: 1.5e1\r\n"
    b"FileComment: none\t\r\ngpsLatitude: NaN\r\n"
)
OLD_HDR = (
    b'"Imaging FlowCytobot Acquisition Software version 2.0; May 2010"\r\n"3/5/2012"\r\n"0"\r\n"0"\r\n'
    b'"Temp Humidity PMT1hv(ssc)"\r\n"22.5" "40" "0.6"\r\n'
)


def hdr(content: bytes) -> bool:
    """The header of a bin."""
    header = read_header(content, personal=True)
    keeps({"fields": header.fields, "fault": header.fault})
    header.number("runTime")
    header.whole_number("roiCount")
    return not header.fault


def adc_row(trigger: int, width: int, height: int, start: int) -> bytes:
    """A row of the second version of the format."""
    columns = [
        trigger,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1,
        2,
        0,
        100,
        50,
        width,
        height,
        start,
        1,
        1,
        1,
        0,
        0,
        0,
    ]
    if not width:
        columns[12:21] = [0] * 9
    return ",".join(map(str, columns)).encode() + b"\n"


ADC = adc_row(1, 10, 20, 0) + adc_row(2, 0, 0, 0) + adc_row(3, 30, 2, 200)
OLD_ADC = b"1,0.5,1,2,3,4,5,6,7,100,50,10,20,1,0\n2,0.7,1,2,3,4,5,6,7,100,50,30,2,201,0\n"


def adc(content: bytes) -> bool:
    """The table of a bin, in pieces of any size, and the quick look at a table whose numbers are told."""
    tables = [read_table([content], new=new) for new in (True, False)]
    if len(content) < 32 << 10:
        for new, table in zip((True, False), tables, strict=True):
            for size in (1, 7, 4096) if len(content) < 1024 else (1000,):
                pieces = [content[at : at + size] for at in range(0, len(content), size)]
                assert read_table(pieces, new=new) == table, "the pieces of a table are no part of it"
    for table in tables:
        assert 0 <= table.size_bytes <= 1 << 51
    last = content[:-1].rpartition(b"\n")[2].partition(b",")[0]
    triggers = int(last) if last.isdigit() and len(last) < 10 else 0
    rois = content.count(b"\n") - content.count(b",0,0,0,0,0,0,0,")
    is_surely(content, Table(rois, triggers, tables[0].size_bytes, ""))
    return any(not table.fault for table in tables)


TARGETS = (
    Target("fcs", fcs, (fcs_of(), fcs_of(b"FCS2.0", b"\x0c"), fcs_of(following=fcs_of(b"FCS3.1"))),
           (b"$NEXTDATA", b"$BEGINDATA", b"$DATE", b"FCS3.2", b"$PAR", b"//", b"$ETIM")),
    Target("imd", imd, (IMD, IMD + b"\0\0 \0"),
           tuple(w.encode("utf-16-le") for w in ("<Mass>", "<AcquisitionMarkers>", "&#"))),
    Target("ifcb-hdr", hdr, (HDR, OLD_HDR), (b"roiCount:", b"runTime: 1e400", b'"Imaging FlowCytobot', b"PMT1hv(ssc)")),
    Target("ifcb-adc", adc, (ADC, OLD_ADC, ADC * 200), (b",0,0,0,0,0,0,0,", b",,,,,,,,,,,,,,,", b"-1", b"1_0")),
)  # fmt: skip
