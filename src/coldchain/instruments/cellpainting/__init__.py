"""Cell Painting: which folders are plates of a high-content microscope?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from coldchain.config.values import Job, OnChange
from coldchain.instruments.base import Habits, Judge, Look, Unjudged
from coldchain.instruments.cellpainting.cv8000 import judge_cv8000
from coldchain.instruments.cellpainting.harmony import is_reference, judge_harmony
from coldchain.instruments.cellpainting.imagexpress import judge_imagexpress
from coldchain.instruments.cellpainting.names import (
    CV8000,
    CV8000_IMAGE,
    DATE,
    EXPORT,
    HARMONY,
    HARMONY_IMAGE,
    INDEX,
    LEVEL,
    METAXPRESS_IMAGE,
    NUMBER,
    Maker,
    plate_at,
)
from coldchain.instruments.cellpainting.plate import QUIET, Files, conclude
from coldchain.instruments.folders import folders_like
from coldchain.model import OWN_FOLDER, REST, Dataset
from coldchain.stores.base import Store
from coldchain.verdict import Verdict

DEEPEST = 6
"""So many folders down a plate is looked for."""
LOOKED_AT = 200
"""So many files of a folder are looked at by name, to see whether MetaXpress wrote them."""
JUDGES = {Maker.HARMONY: judge_harmony, Maker.IMAGEXPRESS: judge_imagexpress, Maker.CV8000: judge_cv8000}


class CellPainting:
    """Plates of Opera Phenix and Operetta (Harmony), ImageXpress (MetaXpress) and CV8000."""

    name = "cellpainting"
    title = "plates of high-content microscopes: Opera Phenix, Operetta, ImageXpress, CV8000"
    habits = Habits(
        on_change=OnChange.KEEP_BOTH, quiet=QUIET, datasets=("plates",), fields=("plate", "date", "measurement")
    )

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        signs = Counter(filter(None, map(_sign, paths)))
        return signs.total(), signs.most_common(1)[0][0] if signs else ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        pattern = job.datasets or self.habits.datasets[0]
        if pattern != self.habits.datasets[0]:
            for root in folders_like(source, pattern, self.habits.datasets):
                plate = _plate(source, root, probe=False)
                yield plate_at(root, root) if plate is None else plate._replace(name=root)
            return
        plates = list(_plates(source, "", 1))
        times = Counter(plate.name for plate in plates)
        for plate in plates:
            # two folders of one name would be one dataset: both are called by their whole paths then
            yield plate if times[plate.name] == 1 else plate._replace(name=plate.parts[0].root)

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        if dataset.name == REST:
            return Unjudged()
        return _PlateJudge(Files(dataset.parts[0].root, look))

    def marker(self, dataset: Dataset, path: str) -> str | None:
        if not path.endswith((".xml", ".mrf")) or dataset.name == REST:
            return None
        start = f"{dataset.parts[0].root}/"
        below = path[len(start) :]
        if below.endswith(".mrf") or (INDEX.fullmatch(below) and not is_reference(below)):
            return start
        return None


class _PlateJudge:
    def __init__(self, files: Files) -> None:
        self._files = files
        self.see = files.see

    def verdict(self) -> Verdict:
        return conclude(self._files, JUDGES[_maker(self._files)](self._files))


def _maker(files: Files) -> Maker:
    """Whose plate it is: by the files that only one maker writes, else by the name of the folder."""
    if any(INDEX.fullmatch(path) for path in files.named(".xml")):
        return Maker.HARMONY
    if files.named(".mlf") or files.named(".mrf"):
        return Maker.CV8000
    if files.named(".htd"):
        return Maker.IMAGEXPRESS
    name = files.root.rpartition("/")[2]
    if HARMONY.fullmatch(name):
        return Maker.HARMONY
    return Maker.CV8000 if CV8000.fullmatch(name) else Maker.IMAGEXPRESS


def _plates(source: Store, folder: str, depth: int) -> Iterator[Dataset]:
    for name in source.folders(folder):
        if not folder and name == OWN_FOLDER:
            continue
        root = f"{folder}/{name}" if folder else name
        plate = _plate(source, root, probe=True)
        if plate:
            yield plate
        elif depth < DEEPEST:
            yield from _plates(source, root, depth + 1)


def _plate(source: Store, root: str, *, probe: bool) -> Dataset | None:
    """The plate that a folder is, by its name and, where that could be anything's, by what is in it."""
    *above, name = root.split("/")
    if found := HARMONY.fullmatch(name):
        return plate_at(root, name, found)
    if (found := CV8000.fullmatch(name)) and (not probe or found["plate"] in source.folders(root)):
        day = found["measurement"]
        return plate_at(root, name, found, date=f"{day[:4]}-{day[4:6]}-{day[6:8]}")
    if (found := EXPORT.fullmatch(name)) and (not probe or _by_metaxpress(source, root)):
        return plate_at(root, name, found)
    if len(above) > 1 and NUMBER.fullmatch(name) and DATE.fullmatch(above[-1]):
        plate, date = above[-2:]
        if not probe or _by_metaxpress(source, root):
            return plate_at(root, f"{plate}/{date}/{name}", plate=plate, date=date, measurement=name)
    return None


def _by_metaxpress(source: Store, root: str) -> bool:
    """Whether MetaXpress wrote a folder: it has folders for time points or steps, or images or plans of its naming."""
    folders = list(source.folders(root))
    if any(LEVEL.fullmatch(name) for name in folders):
        return True
    files = source.list(root, without=[f"{root}/{name}" for name in folders])
    names = (found.path.rpartition("/")[2] for found in islice(files, LOOKED_AT))
    return any(METAXPRESS_IMAGE.fullmatch(name) or name.lower().endswith(".htd") for name in names)


def _sign(path: str) -> str:
    """By what a path is surely a high-content microscope's, "" when it is not."""
    *above, name = path.removesuffix("/").split("/")
    if HARMONY.fullmatch(name) and path.endswith("/"):
        return "folders named by Harmony"
    if (HARMONY_IMAGE.fullmatch(name) or INDEX.fullmatch(f"Images/{name}")) and above[-1:] == ["Images"]:
        return "images and indices of Harmony"
    if CV8000_IMAGE.fullmatch(name) or name in ("MeasurementData.mlf", "MeasurementDetail.mrf"):
        return "images and lists of a CV8000"
    image = METAXPRESS_IMAGE.fullmatch(name)
    if name.lower().endswith(".htd") or (image and (image["guid"] or any(map(LEVEL.fullmatch, above)))):
        return "images and plans of MetaXpress"
    return ""


INSTRUMENT = CellPainting()
