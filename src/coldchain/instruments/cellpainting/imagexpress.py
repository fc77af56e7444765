"""Is a plate of an ImageXpress (MetaXpress) whole?

The ``.HTD`` is a plan made before, not a list made after: a wavelength may be taken in fewer steps and time points than
the plan has.  So what is certainly missing is: a wavelength that a site of a well does not have at all; a step or time
point that other sites have of the same wavelength; and a time point of which nothing is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.cellpainting.htd import MOST_BYTES, MOST_PLACES, Plan, is_whole, read_plan
from coldchain.instruments.cellpainting.names import METAXPRESS_IMAGE
from coldchain.instruments.cellpainting.plate import Files, Findings, kept
from coldchain.instruments.cellpainting.plate import images as in_words
from coldchain.verdict import KEPT, Remark

TIME = re.compile(r"(?:^|/)TimePoint_(\d{1,6})(?=/)", re.IGNORECASE)
STEP = re.compile(r"(?:^|/)ZStep_(\d{1,6})(?=/)", re.IGNORECASE)
PROJECTION = -1
"""The step of an image that lies in no ``ZStep_`` folder."""

Place = tuple[str, int, int]
"""Well, site and wavelength."""
When = tuple[int, int]
"""Time point, and step in depth."""


class Image(NamedTuple):
    """What the name of an image says; a site or a wavelength of 0 is not named."""

    well: str
    site: int
    wave: int
    when: When


def judge_imagexpress(files: Files) -> Findings:
    """Count what is there against the plan, or, where there is none, against itself."""
    findings = Findings()
    images = list(_images(files))
    plan = _plan(files, findings)
    if plan:
        findings.counted = True
        places = _places(images, plan)
        _count(findings, places, plan.wells, _numbering(places, plan), plan.waves)
        findings.catalogue["images_expected"] = findings.expected
        _count_times(findings, places, plan.times)
        findings.note = f"{in_words(len(images))}, all whole, of every well, site and wavelength of the plan"
        _describe(findings, plan)
    elif images:
        places = _gather(images)
        wells = sorted({well for well, _, _ in places})
        sites, waves = sorted({site for _, site, _ in places}), sorted({wave for _, _, wave in places})
        if len(wells) * len(sites) * len(waves) <= MOST_PLACES:
            _count(findings, places, wells, sites, waves)
        findings.note = f"{in_words(len(images))}, as many of each well; there is no plan (.HTD) to count them against"
        findings.catalogue |= {"wells": len(wells), "sites": len(sites)}
    findings.catalogue["images_found"] = len(images)
    return findings


def _images(files: Files) -> Iterator[Image]:
    """Every image; thumbnails do not count, nor do TIFFs with other names."""
    for path in files.images:
        folder, _, name = path.rpartition("/")
        found = METAXPRESS_IMAGE.fullmatch(name)
        if not found or found["thumb"]:
            continue
        time, step = TIME.search(f"{folder}/"), STEP.search(f"{folder}/")
        when = int(time[1]) if time else 1, int(step[1]) if step else PROJECTION
        yield Image(found["well"], int(found["site"] or 0), int(found["wave"] or 0), when)


def _plan(files: Files, findings: Findings) -> Plan | None:
    """The uppermost plan that is whole; every copy, one in each folder, is looked at."""
    plan = None
    for path in files.named(".htd"):
        entry, name = files.others[path], path.rpartition("/")[2]
        try:
            content = files.look.text(entry.path, MOST_BYTES)
        except StoreError as error:
            findings.remarks.append(Remark(entry.path, f"could not be read: {error.reason}"))
            findings.doubts.append(f"{name} could not be read")
            continue
        if entry.size_bytes > MOST_BYTES:
            findings.remarks.append(Remark(entry.path, f"is too large for a plan: {entry.size_bytes:,} bytes"))
        elif not is_whole(content):
            findings.unwhole[entry.path] = f'{name} is cut short: its last line is not "EndFile"'
        elif plan is None:
            read = read_plan(content)
            if isinstance(read, str):
                findings.remarks.append(Remark(entry.path, read))
            else:
                plan = read
    return plan


def _gather(images: Iterable[Image]) -> dict[Place, set[When]]:
    places: dict[Place, set[When]] = {}
    for well, site, wave, when in images:
        places.setdefault((well, site or 1, wave or 1), set()).add(when)
    return places


def _places(images: Iterable[Image], plan: Plan) -> dict[Place, set[When]]:
    """What is there of each place; where a plan has one site or wavelength only, it is that one, however numbered."""
    site = plan.sites[0] if len(plan.sites) == 1 else 0
    wave = plan.waves[0] if len(plan.waves) == 1 else 0
    return _gather(image._replace(site=site or image.site, wave=wave or image.wave) for image in images)


def _numbering(places: Iterable[Place], plan: Plan) -> tuple[int, ...]:
    """The numbers that the sites have: within the selection, or within the grid when only that explains the names."""
    there = {site for _, site, _ in places}
    return plan.grid if not there <= set(plan.sites) and there <= set(plan.grid) else plan.sites


def _count(
    findings: Findings,
    places: dict[Place, set[When]],
    wells: Iterable[str],
    sites: Iterable[int],
    waves: Iterable[int],
) -> None:
    """Every place must have what others have of its wavelength, and at least one image."""
    usual: dict[int, set[When]] = {}
    for (_, _, wave), there in places.items():
        usual.setdefault(wave, set()).update(there)
    for well in wells:
        for site in sites:
            for wave in waves:
                there = places.get((well, site, wave), set())
                _count_one(findings, f"{well} s{site} w{wave}", there, usual.get(wave, set()))


def _count_one(findings: Findings, name: str, there: set[When], usual: set[When]) -> None:
    findings.expected += max(1, len(usual))
    absent = len(usual) - len(there)
    if len(usual) < 2:
        if not there:
            findings.lack(name)
    elif not there:
        findings.lack(f"{name} (all {absent:,})", absent)
    elif absent and len(findings.missing) < KEPT:
        for time, step in sorted(usual - there):
            findings.lack(f"{name} t{time}" + (f" z{step}" if step != PROJECTION else ""))
    else:
        findings.missing_count += absent


def _count_times(findings: Findings, places: dict[Place, set[When]], planned: int) -> None:
    there = {time for whens in places.values() for time, _ in whens}
    absent = [time for time in range(1, planned + 1) if time not in there]
    if absent and there:
        more = ", …" if len(absent) > 3 else ""
        names = ", ".join(f"TimePoint_{time}" for time in absent[:3])
        findings.doubts.append(f"{len(absent):,} of {planned:,} time points have no image: {names}{more}")


def _describe(findings: Findings, plan: Plan) -> None:
    said = {key: values[0] for key, values in plan.said.items()}
    names = {key: said[key] for key in ("Description", "UniquePlateIdentifier") if said.get(key)}
    findings.catalogue |= names | kept(said, ("XWells", "YWells", "XSites", "YSites", "TimePoints", "ZSteps"))
    findings.catalogue |= {
        "WaveNames": [said.get(f"WaveName{wave}", "") for wave in plan.waves],
        "wells": len(plan.wells),
        "sites": len(plan.sites),
    }
