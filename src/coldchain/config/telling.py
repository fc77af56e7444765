"""What may a configuration say of those who are told, and of what is kept of runs?

The tables ``notify``, ``mail`` and ``logs``, with the values of one key that only they and the times of a job have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from coldchain.config.cron import five_fields
from coldchain.config.problems import Location, Problem, suggestion
from coldchain.config.tables import Table, Text, check, choice, parsed_duration
from coldchain.config.units import SIZE_HINT, parse_size
from coldchain.config.values import Channel, Logs, Mail, Security, When
from coldchain.errors import ConfigurationError

DIGESTS_AT = {"daily": "0 7 * * *", "weekly": "0 7 * * 1"}
"""In the morning, before people begin; on Mondays."""
LEAST_LOG_BYTES = 10_000
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S.*", re.DOTALL)
_ADDRESS = re.compile(r"(?:[^<>@\s][^<>@]*<)?[^<>@\s,;]+@[^<>@\s,;]+>?")
_CREDENTIALS = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|keyring:\S.*")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?")
_LISTEN = re.compile(rf"(?:{_HOST.pattern}):(?P<port>[0-9]{{1,5}})")
_SECRETS = ("password", "pass", "passwd", "pwd", "secret", "token")


# --- values of one key; the reasons never quote the value (P14) -------------------------------------------------------


def cron_text(text: str) -> str:
    """Refuse what no cron understands; the text stays as it was written."""
    try:
        five_fields(text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return text.strip()


def zone_name(text: str) -> str:
    """Refuse what is no IANA name of a time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        near = suggestion(text, available_timezones())
        known = near if near.startswith("did") else "they are called such as Europe/Berlin or UTC"
        raise ValueError(f"is no time zone; {known}") from None
    return text


def web_url(text: str) -> str:
    """Refuse what is no URL that can be asked for."""
    if not re.fullmatch(r"https?://[^\s/?#]+\S*", text):
        raise ValueError('must be a URL that begins with "https://" or "http://"')
    return text


def some_time(value: object) -> object:
    """A duration that is not zero: nothing can be looked at all the time."""
    duration = parsed_duration(value)
    if duration < timedelta(seconds=1):
        raise ValueError('must be one second ("1 s") or more')
    return duration


def listening(text: str) -> str:
    """Refuse what is no host with a port."""
    found = _LISTEN.fullmatch(text)
    if not found or not 0 < int(found["port"]) < 1 << 16:
        raise ValueError('must be a host and a port from 1 to 65535, such as "127.0.0.1:9464"')
    return text


def _digest(text: str) -> str:
    if text in DIGESTS_AT:
        return DIGESTS_AT[text]
    try:
        return five_fields(text)
    except ConfigurationError as error:
        raise ValueError(f'{error}; or "daily" or "weekly" (at 7 in the morning)') from None


def _apprise_url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError('is no URL of Apprise, such as "slack://…": it has no scheme with :// after it')
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or ("<" in text) != text.endswith(">"):
        raise ValueError('is no e-mail address, such as "crew@example.org" or "The crew <crew@example.org>"')
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(
            'must be the name or the address of a mail server, such as "mail.example.org"; its port is `port`'
        )
    return text


def _credentials(text: str) -> str:
    if not _CREDENTIALS.fullmatch(text):
        raise ValueError(
            'must say where they are: "env:NAME" for the variables NAME_USER and NAME_PASSWORD, or "keyring:SERVICE"; '
            "the secret itself never stands here"
        )
    return text


def _log_size(value: object) -> object:
    if isinstance(value, str):
        try:
            size_bytes = parse_size(value)
        except ConfigurationError:
            raise ValueError(f"is no size: {SIZE_HINT}") from None
        if size_bytes < LEAST_LOG_BYTES:
            raise ValueError('must be "10 kB" or more')
        return size_bytes
    raise ValueError(f"is no size: {SIZE_HINT}")


CronText = Annotated[Text, AfterValidator(cron_text)]
ZoneName = Annotated[Text, AfterValidator(zone_name)]
WebUrl = Annotated[Text, AfterValidator(web_url)]
SomeTime = Annotated[timedelta | None, BeforeValidator(some_time)]
Listening = Annotated[Text, AfterValidator(listening)]
Address = Annotated[Text, AfterValidator(_address)]


# --- the tables -------------------------------------------------------------------------------------------------------


class NotifyTable(Table):
    """``[notify.NAME]``; what stands in ``mail`` is checked as a table of its own."""

    urls: Annotated[list[Annotated[Text, AfterValidator(_apprise_url)]] | None, Field(min_length=1)] = None
    mail: dict[str, Any] | None = None
    when: Annotated[When | None, BeforeValidator(choice({way.value: way for way in When}))] = None
    digest: Annotated[Text, AfterValidator(_digest)] | None = None
    recount: bool | None = None


class MailTable(Table):
    """``mail = { … }``; a password has no key, so that none stands in the file."""

    host: Annotated[Text, AfterValidator(_host)]
    sender: Address
    to: Annotated[list[Address], Field(min_length=1)]
    problems_to: Annotated[list[Address] | None, Field(min_length=1)] = None
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    security: Annotated[Security | None, BeforeValidator(choice({way.value: way for way in Security}))] = None
    user: Text | None = None
    credentials: Annotated[Text, AfterValidator(_credentials)] | None = None


class LogsTable(Table):
    """``[logs]``."""

    json_lines: bool | None = Field(default=None, alias="json")
    keep: Annotated[int | None, Field(ge=0, le=1000)] = None
    size: Annotated[int | None, BeforeValidator(_log_size)] = None


# --- the values that they make ----------------------------------------------------------------------------------------


def channel_of(value: object, where: Location, problems: list[Problem]) -> Channel | None:
    """The channel that a table defines; None, with the reasons in ``problems``, when there is no telling."""
    name, written = str(where[-1]), value.get("mail") if isinstance(value, dict) else None
    table = check(NotifyTable, value, where, problems)
    mail = _mail(written, (*where, "mail"), problems) if isinstance(written, dict) else None
    if table is None or (table.mail is not None and mail is None):
        return None
    if table.urls is None and mail is None:
        problems.append(Problem(where, 'says nobody: it needs urls = ["…"], mail = { … }, or both'))
        return None
    given = table.given("urls", "mail")
    return replace(Channel(name, tuple(table.urls or ()), mail), **given)


def _mail(value: Mapping[str, object], where: Location, problems: list[Problem]) -> Mail | None:
    written = dict(value)
    secrets = [key for key in written if str(key).lower() in _SECRETS]
    for key in secrets:
        del written[key]
        problems.append(
            Problem((*where, key), 'never stands in this file; write credentials = "env:NAME" in its place')
        )
    table = check(MailTable, written, where, problems)
    if table is None or secrets:
        return None
    if table.user is None and (table.credentials or "").startswith("keyring:"):
        problems.append(Problem((*where, "user"), "is missing: a keyring is asked for the password of a user"))
        return None
    if table.user is not None and table.credentials is None:
        missing = 'is missing: where is the password of the user, such as "env:NAME"?'
        problems.append(Problem((*where, "credentials"), missing))
        return None
    given: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in table.given().items()
    }
    return Mail(**given)


def logs_of(value: object, problems: list[Problem]) -> Logs:
    """What ``[logs]`` says; the defaults where it is wrong, which is in ``problems`` then."""
    if value is None:
        return Logs()
    table = check(LogsTable, value, ("logs",), problems)
    if table is None:
        return Logs()
    names = {"json_lines": "json", "size": "size_bytes"}
    return Logs(**{names.get(key, key): item for key, item in table.given().items()})


def told(names: Iterable[str], channels: Mapping[str, Channel]) -> tuple[Channel, ...]:
    """The channels of these names; those that are not defined, or wrong, were reported where they stand."""
    return tuple(channels[name] for name in names if name in channels)
