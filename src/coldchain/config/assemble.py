"""Which values does a filled document make?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from coldchain.config.overlaps import Relation, relation
from coldchain.config.places import Origin, ledger_file, ledger_url, local_path, place_url
from coldchain.config.plates import read_plates
from coldchain.config.problems import Location, Problem, suggestion
from coldchain.config.schema import NAME_RULE, VERSION, DestinationTable, Document, JobTable, SourceTable, is_name
from coldchain.config.storage import BY_KIND, EVERY_OPTION, options_of
from coldchain.config.tables import AnyTable, check
from coldchain.config.telling import channel_of, logs_of, told
from coldchain.config.urls import kind_of, without_password
from coldchain.config.values import Brake, Channel, Config, Destination, Job, Logs
from coldchain.model import Place

STATE_FOLDER = "coldchain-state"
LEDGER_FILE = "ledger.sqlite"


def assemble(document: Mapping[str, Any], file: Path, origin: Origin, problems: list[Problem]) -> Config | None:
    """Make the values; returns None when there is no telling, with the reasons in ``problems``.

    ``problems`` already holds what could not be filled in; a value that was not filled is not judged.
    """
    unfilled = {problem.where for problem in problems}
    found: list[Problem] = []
    top = check(Document, document, (), found)
    if top is not None and top.version != VERSION:
        found.append(Problem(("version",), f"must be {VERSION}", quotes=True))
    destinations = _destinations(document, origin, found)
    channels = _channels(document, found)
    jobs = _jobs(document, destinations, channels, origin, found)
    if not unfilled:
        found += [problem for job in jobs.values() for problem in _overlaps(job)]
    config = _config(document, jobs, file, origin, found)
    if config is not None:
        listen = top.listen if top is not None else None
        config = replace(config, channels=channels, logs=_logs(document, found), listen=listen or "")
    problems += [problem for problem in found if problem.where not in unfilled]
    return config


def _config(
    document: Mapping[str, Any], jobs: dict[str, Job], file: Path, origin: Origin, found: list[Problem]
) -> Config | None:
    if document.get("jobs") == {}:
        found.append(Problem(("jobs",), "is empty: at least one [jobs.NAME] is needed"))
    try:
        state = local_path(_text(document, "state") or STATE_FOLDER, origin)
    except ValueError as error:
        found.append(Problem(("state",), str(error), quotes=True))
        return None
    ledger = _text(document, "ledger") or str(state / LEDGER_FILE)
    try:
        ledger_at = ledger_file(ledger, origin)
    except ValueError as error:
        found.append(Problem(("ledger",), str(error), quotes="ledger" in document))
        return None
    for job in jobs.values():
        found += _own_things_in_source(job, state, ledger_at)
    return Config(path=file, state=state, ledger_url=ledger_url(ledger, ledger_at), jobs=jobs)


def _logs(document: Mapping[str, Any], found: list[Problem]) -> Logs:
    written = document.get("logs")
    return logs_of(written, found) if isinstance(written, dict) else Logs()


def _own_things_in_source(job: Job, state: Path, ledger_at: Path | None) -> Iterator[Problem]:
    for key, path in (("state", state), ("ledger", ledger_at)):
        if path is not None and relation(Place(key, str(path)), job.source) in (Relation.SAME, Relation.INSIDE):
            yield Problem(
                (key,), f"lies inside the source of job {job.name!r}, and would be carried as data; put it elsewhere"
            )
            return


# --- tables by name ---------------------------------------------------------------------------------------------------


def _tables(document: Mapping[str, Any], kind: str, found: list[Problem]) -> Iterator[tuple[Location, str, object]]:
    tables = document.get(kind)
    seen: dict[str, str] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not is_name(name):
            found.append(Problem((kind, name), f"this cannot be a name: {NAME_RULE}"))
        elif (twin := seen.setdefault(name.lower(), name)) != name:
            found.append(
                Problem((kind, name), f"differs from {twin!r} only in capitals, which not every disk tells apart")
            )
        yield (kind, name), name, table


# A table that is wrong in one key is looked at in the others nevertheless, so that all problems are named at once.


def _text(table: object, key: str) -> str | None:
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, str) else None


def _place(table: object, key: str, where: Location, origin: Origin, found: list[Problem]) -> Place | None:
    text = _text(table, key)
    if text is None:
        return None
    text, secret = without_password(text)
    options = options_of(text, table if key == "url" and isinstance(table, dict) else {}, where, origin, found)
    try:
        url = place_url(text, origin)
    except ValueError as error:
        found.append(Problem((*where, key), str(error), quotes=True))
        return None
    if secret is not None and options is not None and "credentials" in dict(options):
        found.append(
            Problem((*where, "credentials"), "are here and in the URL as well; take the password out of the URL")
        )
        return None
    return Place(str(where[1]), url, options, secret) if options is not None else None


def _source(table: object, where: Location, origin: Origin, found: list[Problem]) -> Place | None:
    """The source: a text, or a table with a URL and options."""
    written = table.get("source") if isinstance(table, dict) else None
    if not isinstance(written, dict):
        return _place(table, "source", where, origin, found)
    inside = (*where, "source")
    checked = _check_without_options(SourceTable, written, inside, found)
    place = _place(written, "url", inside, origin, found)
    return place if checked is not None else None


def _check_without_options(
    kind: type[AnyTable], value: object, where: Location, found: list[Problem]
) -> AnyTable | None:
    if not isinstance(value, dict):
        return check(kind, value, where, found)
    others = {key: item for key, item in value.items() if key not in EVERY_OPTION}
    url = value.get("url")
    known = BY_KIND[kind_of(url)].model_fields if isinstance(url, str) else EVERY_OPTION
    return check(kind, others, where, found, besides=known)


def _destinations(document: Mapping[str, Any], origin: Origin, found: list[Problem]) -> dict[str, Destination]:
    made = {}
    for where, name, value in _tables(document, "destinations", found):
        table = _check_without_options(DestinationTable, value, where, found)
        place = _place(value, "url", where, origin, found)
        if table is not None and place is not None:
            made[name] = replace(Destination(place), **table.given("url"))
    return made


def _channels(document: Mapping[str, Any], found: list[Problem]) -> dict[str, Channel]:
    made = ((name, channel_of(value, where, found)) for where, name, value in _tables(document, "notify", found))
    return {name: channel for name, channel in made if channel is not None}


def _jobs(
    document: Mapping[str, Any],
    destinations: Mapping[str, Destination],
    channels: Mapping[str, Channel],
    origin: Origin,
    found: list[Problem],
) -> dict[str, Job]:
    made = {}
    for where, name, value in _tables(document, "jobs", found):
        table = check(JobTable, value, where, found)
        source = _source(value, where, origin, found)
        for key in ("destinations", "notify"):
            found += _wrong_names(value, (*where, key), document.get(key))
        plates = _plates(table, where, origin, found) if table is not None else None
        if table is None or source is None or plates is None:
            continue
        sent_to = tuple(destinations[wanted] for wanted in table.destinations if wanted in destinations)
        if len(sent_to) == len(table.destinations):
            notify = told(table.notify or (), channels)
            made[name] = _job(table, Job(name, source, sent_to, plates=plates, notify=notify))
    return made


def _plates(table: JobTable, where: Location, origin: Origin, found: list[Problem]) -> tuple[str, ...] | None:
    """The plates that a job is limited to; None when they stand in a file that cannot be used."""
    if not isinstance(table.plates, str):
        return table.plates or ()
    try:
        return read_plates(local_path(table.plates, origin))
    except ValueError as error:
        found.append(Problem((*where, "plates"), str(error), quotes=True))
        return None


def _job(table: JobTable, standard: Job) -> Job:
    given = table.given("source", "destinations", "plates", "notify")
    for key, value in given.items():
        if isinstance(value, list):
            given[key] = tuple(value)
    if table.brake is not None:
        given["brake"] = Brake(table.brake.share, table.brake.least)
    return replace(standard, **given)


# --- what concerns several tables -------------------------------------------------------------------------------------


def _wrong_names(table: object, where: Location, defined: object) -> Iterator[Problem]:
    wanted = table.get(where[-1]) if isinstance(table, dict) else None
    names = list(defined) if isinstance(defined, dict) else []
    named = wanted if isinstance(wanted, list) else []
    for index, name in enumerate(named):
        if not isinstance(name, str):
            continue
        if name in named[:index]:
            yield Problem((*where, index), "is named twice", quotes=True)
        elif name not in names:
            yield Problem((*where, index), f"is not defined; {suggestion(name, names)}", quotes=True)


def _overlaps(job: Job) -> Iterator[Problem]:
    """A job that would carry its own copies, or send two copies to one place (each would seem to be two)."""
    where = ("jobs", job.name, "destinations")
    for sent_to in job.destinations:
        match relation(sent_to.place, job.source):
            case Relation.SAME:
                yield Problem(where, f"destination {sent_to.name!r} is the source itself")
            case Relation.INSIDE:
                yield Problem(where, f"destination {sent_to.name!r} lies inside the source")
            case Relation.AROUND:
                yield Problem(where, f"the source lies inside destination {sent_to.name!r}")
    for one, other in combinations(job.destinations, 2):
        match relation(one.place, other.place):
            case Relation.SAME:
                yield Problem(where, f"destinations {one.name!r} and {other.name!r} are the same place")
            case Relation.INSIDE:
                yield Problem(where, f"destination {one.name!r} lies inside destination {other.name!r}")
            case Relation.AROUND:
                yield Problem(where, f"destination {other.name!r} lies inside destination {one.name!r}")
