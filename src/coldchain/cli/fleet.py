"""``coldchain fleet``: who left word at a place, who is late, and who is in trouble?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coldchain.cli import session
from coldchain.cli.printing import complain, name, sentence, show_json, tally
from coldchain.errors import ColdchainError, ConfigurationError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from coldchain.model import Place, Tally
    from coldchain.operate.fleet.fleet import Agent, Asked

_HELP = """Say which computers are late, silent or in trouble.

Each run leaves word at its destinations; no server is needed.  WHERE is the URL of a store, a folder, or the name of a
destination; all destinations of the configuration, when none is given.

\b
Example:
  coldchain fleet /mnt/storage s3://lab-raw --late "26 h"
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fleet", help=_HELP)(fleet)


def fleet(
    where: list[str] = typer.Argument(None, metavar="WHERE", help="URLs, folders, or names of destinations."),
    late: str = typer.Option("", "--late", metavar="SPAN", help="Silent for longer is late, as '26 h'."),
    nothing_new: str = typer.Option("", "--nothing-new", metavar="SPAN", help="Nothing new for longer is trouble."),
    ignore: list[str] = typer.Option([], "--ignore", metavar="HOST", help="Retired: HOST or HOST/JOB."),
    notify: str = typer.Option("", "--notify", metavar="CHANNEL", help="Tell this channel when there is trouble."),
    config: Path | None = session.CONFIG,
    settings: list[str] = session.SET,
    as_json: bool = session.JSON,
) -> int:
    """Look; 3 when somebody is late or in trouble, 6 when there is nobody."""
    from coldchain.operate.fleet.fleet import Agent, Asked

    asked = Asked(_span(late), _span(nothing_new), frozenset(ignore))
    now = session.now()
    tell = _teller(notify, config, settings)
    somebody, troubled, unread = False, list[Agent](), list[str]()
    for place in _places(where or [], config, settings):
        try:
            for agent in _sorted(place, asked, now):
                somebody = True
                troubled += [agent] if agent.condition.is_trouble else []
                _show(agent, now, as_json=as_json)
        except ColdchainError as error:
            unread.append(_cannot_read(place, error, as_json=as_json))
    if not somebody and not unread:
        complain("nobody left word there")
        return 6
    if troubled or unread:
        tell(troubled, unread)
        return 3
    return 0


def _sorted(place: Place, asked: Asked, now: datetime) -> list[Agent]:
    """Trouble first; a place is read whole before anything of it is shown."""
    from coldchain.operate.fleet.fleet import read_fleet

    return sorted(read_fleet(place, asked, now), key=lambda one: (not one.condition.is_trouble, one.host, one.job))


def _cannot_read(place: Place, error: ColdchainError, *, as_json: bool) -> str:
    said = sentence(error) if isinstance(error, StoreError) and error.url else f"{place.url}: {error}"
    complain(f"{said}; nothing is known of those who write there")
    if as_json:
        values = {"job": None, "error": said, "exit_code": error.exit_code}
        show_json({"format": "coldchain-error", "version": 1, **values})
    return said


def _teller(channel: str, config: Path | None, settings: list[str]) -> Callable[[list[Agent], list[str]], None]:
    """Who tells people of trouble; a slip in the name of the channel is found before anything is read."""
    if not channel:
        return lambda troubled, unread: None
    from coldchain.config.problems import suggestion
    from coldchain.monitor import SILENT
    from coldchain.operate.fleet.news import tell_of_trouble

    configuration = session.load(config, settings)
    if channel not in configuration.channels:
        known = configuration.channels
        raise UsageError(f"--notify {channel}: there is no [notify.{channel}]; {suggestion(channel, known)}")

    def tell(troubled: list[Agent], unread: list[str]) -> None:
        around = session.surroundings(SILENT)
        for said in tell_of_trouble(configuration, configuration.channels[channel], troubled, unread, around):
            complain(said)

    return tell


def _span(text: str) -> timedelta | None:
    from coldchain.config.units import parse_duration

    if not text:
        return None
    try:
        return parse_duration(text)
    except ConfigurationError as error:
        raise UsageError(str(error)) from None


def _places(where: list[str], config: Path | None, settings: list[str]) -> list[Place]:
    from coldchain.config.urls import check_url
    from coldchain.model import Place

    places = []
    for one in where:
        if "://" in one:
            try:
                check_url(one)
            except ValueError as error:
                raise UsageError(f"this URL {error}") from None  # which is not repeated: it may hold a password
            places.append(Place(one, one))
        elif Path(one).is_dir():
            places.append(Place(one, Path(one).absolute().as_uri()))
        else:
            places.append(_destination(one, config, settings))
    return places or _destinations(config, settings)


def _destinations(config: Path | None, settings: list[str]) -> list[Place]:
    """Every destination of the configuration at which word is left, once."""
    jobs = session.load(config, settings).jobs.values()
    return list({one.place.url: one.place for job in jobs for one in job.destinations if one.marker}.values())


def _destination(wanted: str, config: Path | None, settings: list[str]) -> Place:
    from coldchain.config.problems import suggestion

    known = {one.name: one.place for job in session.load(config, settings).jobs.values() for one in job.destinations}
    if wanted not in known:
        raise UsageError(f"{wanted}: is neither a URL, nor a folder, nor a destination; {suggestion(wanted, known)}")
    return known[wanted]


def _show(agent: Agent, now: datetime, *, as_json: bool) -> None:
    if as_json:
        show_json(_json(agent))
        return
    who = f"{agent.host}/{agent.job}" if agent.job else agent.host
    print(f"{agent.condition:<8} {name(who):<32} {_facts(agent, now)}".rstrip())
    for line in filter(None, (agent.why, *agent.remarks)):
        print(f"         {name(line)}")


def _facts(agent: Agent, now: datetime) -> str:
    word = agent.word
    if word is None:
        return name(agent.place)
    parts = [f"heard {_moment(word.heard)}", f"good {_moment(word.last_success)}", f"new {_moment(word.last_new)}"]
    if word.backlog is not None:
        parts.append(f"waiting {tally(word.backlog)}")
    if word.next_run is not None and word.next_run > now:
        parts.append(f"next {_moment(word.next_run)}")
    return "  ".join((*parts, name(agent.place)))


def _moment(moment: datetime | None) -> str:
    from datetime import UTC

    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "never"


def _json(agent: Agent) -> dict[str, object]:
    word = agent.word
    said: dict[str, object] = {
        "format": "coldchain-fleet",
        "version": 1,
        "place": agent.place,
        "host": agent.host,
        "job": agent.job or None,
        "condition": agent.condition.value,
        "trouble": agent.condition.is_trouble,
        "why": agent.why,
        "remarks": list(agent.remarks),
    }
    if word is None:
        return said
    moments = ("heard", "last_success", "last_new", "next_run", "due")
    tallies = ("backlog", "held", "refused", "failed")
    return (
        said
        | {"coldchain": word.version, "source": word.source, "schedule": word.schedule, "watched": word.watched}
        | {"exit_code": word.exit_code}
        | {key: _iso(getattr(word, key)) for key in moments}
        | {key: _tally(getattr(word, key)) for key in tallies}
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _tally(value: Tally | None) -> dict[str, int] | None:
    return None if value is None else {"files": value.files, "size_bytes": value.size_bytes}
