"""Is what a configuration says of times, of people to tell and of logs understood, or refused without a secret?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Channel, Logs, Mail, Security, When
from tests.config.writing import DESTINATION, HOME, JOB, SMALL, TOP, complaint, read

CREW = "[notify.crew]\n"
MAIL = "host = 'mail.example.org', sender = 'a@b.org', to = ['c@d.org']"
SECRET = "hunter2-secret"


def in_job(lines: str, more: str = "") -> str:
    return f"{TOP}{JOB}{lines}\n{DESTINATION}{more}"


def in_channel(lines: str) -> str:
    return f"{SMALL}{CREW}{lines}\n"


def test_a_job_says_when_it_runs_and_who_is_told(tmp_path: Path) -> None:
    lines = """
        schedule = '30 2 * * *'
        timezone = 'Europe/Berlin'
        notify = ['crew', 'pager']
        poll = '1 min'
        look_every = '2 h'
        pause_while = ['acquiring', 'Scope*']
        priority = 'normal'
        ping = 'https://hc.example.org/x'
        expect = '2 days'
    """
    channels = f"[notify.pager]\nurls = ['ntfy://host/x']\n{CREW}mail = {{ {MAIL} }}\n"
    config = read(tmp_path, in_job(lines, channels))
    job = config.jobs["m"]
    crew = Channel("crew", mail=Mail("mail.example.org", "a@b.org", ("c@d.org",)))
    pager = Channel("pager", ("ntfy://host/x",))
    assert job.notify == (crew, pager)
    assert config.channels == {"crew": crew, "pager": pager}
    assert (job.schedule, job.timezone, job.priority) == ("30 2 * * *", "Europe/Berlin", "normal")
    assert (job.poll, job.look_every) == (timedelta(minutes=1), timedelta(hours=2))
    assert job.pause_while == ("acquiring", "Scope*")
    assert (job.ping, job.expect) == ("https://hc.example.org/x", timedelta(days=2))


def test_a_channel_has_every_value_that_was_written(tmp_path: Path) -> None:
    account = "problems_to = ['e@f.org'], port = 465, security = 'tls', user = 'u', credentials = 'keyring:mail'"
    lines = (
        f"urls = ['slack://a/b']\nwhen = 'change'\ndigest = 'weekly'\nrecount = true\nmail = {{ {MAIL}, {account} }}"
    )
    mail = Mail("mail.example.org", "a@b.org", ("c@d.org",), ("e@f.org",), 465, Security.TLS, "u", "keyring:mail")
    crew = Channel("crew", ("slack://a/b",), mail, When.CHANGE, "0 7 * * 1", recount=True)
    assert read(tmp_path, in_channel(lines)).channels == {"crew": crew}


@pytest.mark.parametrize(
    ("written", "stored"),
    [("daily", "0 7 * * *"), ("weekly", "0 7 * * 1"), ("@daily", "0 0 * * *"), ("5 6  * * MON", "5 6 * * MON")],
)
def test_a_digest_is_kept_as_cron_text(tmp_path: Path, written: str, stored: str) -> None:
    config = read(tmp_path, in_channel(f"urls = ['x://y']\ndigest = '{written}'"))
    assert config.channels["crew"].digest == stored


def test_logs_and_the_port_that_answers_stand_at_the_top(tmp_path: Path) -> None:
    assert read(tmp_path).logs == Logs()
    text = f"listen = '127.0.0.1:9464'\nlogs = {{ json = true, keep = 3, size = '10 MB' }}\n{SMALL}"
    config = read(tmp_path, text)
    assert config.logs == Logs(json=True, keep=3, size_bytes=10_000_000)
    assert config.listen == "127.0.0.1:9464"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schedule = 'daily'", 'schedule: "daily" is no cron text: write five fields'),
        ("schedule = '0 25 * * *'", 'schedule: "0 25 * * *" is no cron text, its hour makes no sense'),
        ("schedule = '0 0 31 4,6 *'", 'schedule: "0 0 31 4,6 *" is'),
        ("schedule = 5", "schedule: 5 must be text in quotes"),
        ("timezone = 'Europe/Berlni'", "timezone: \"Europe/Berlni\" is no time zone; did you mean 'Europe/Berlin'?"),
        ("timezone = 'our lab, upstairs'", "they are called such as Europe/Berlin"),
        ("timezone = '../../etc/passwd'", "is no time zone"),
        ("notify = 'crew'", 'notify: "crew" must be a list'),
        ("notify = []", "notify: (a list) must name at least one"),
        ("notify = ['crow']", "notify, item 1: \"crow\" is not defined; did you mean 'crew'?"),
        ("notify = ['crew', 'crew']", 'notify, item 2: "crew" is named twice'),
        ("poll = '0 s'", 'poll: "0 s" must be one second'),
        ("poll = 5", "poll: 5 is no duration"),
        ("look_every = '10 ms'", 'look_every: "10 ms" must be one second'),
        ("pause_while = 'x'", "must be a list"),
        ("pause_while = ['']", "must not be empty"),
        ("priority = 'lo'", "priority: \"lo\" is none of low, normal; did you mean 'low'?"),
        ("expect = '0 s'", "must be one second"),
        ("schedul = 'x'", "unknown key; did you mean 'schedule'?"),
    ],
)
def test_a_slip_in_a_job_is_named_with_the_nearest_right_one(tmp_path: Path, line: str, said: str) -> None:
    told = complaint(tmp_path, in_job(line, f"{CREW}urls = ['x://y']\n"))
    assert told.startswith("coldchain.toml: [jobs.m] ")
    assert said in told


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "[notify.crew]: says nobody: it needs urls"),
        ("urls = []", "urls: must name at least one"),
        ("urls = ['slack']", "[notify.crew] urls, item 1: is no URL of Apprise"),
        ("url = ['x://y']", "url: unknown key; did you mean 'urls'?"),
        ("urls = ['x://y']\nwhen = 'problem'", "is none of always, problems, change; did you mean 'problems'?"),
        ("urls = ['x://y']\ndigest = 'monthly'", 'digest: "monthly" is no cron text'),
        ("urls = ['x://y']\nrecount = 'yes'", "must be true or false"),
        ("mail = 'a@b'", "mail: must be a table"),
        ("mail = { host = 'h' }", "mail.sender: is missing, and required"),
        (f"mail = {{ {MAIL}, security = 'ssl' }}", "is none of starttls, tls, none; known are none, starttls, tls"),
        (f"mail = {{ {MAIL}, port = 0 }}", "must be 1 or more"),
        (f"mail = {{ {MAIL}, prt = 1 }}", "mail.prt: unknown key; did you mean 'port'?"),
        (f"mail = {{ {MAIL}, user = 'u' }}", "mail.credentials: is missing"),
        (f"mail = {{ {MAIL}, credentials = 'keyring:x' }}", "mail.user: is missing"),
        ("mail = { host = 'h', sender = 'a', to = ['b@c'] }", "is no e-mail address"),
        ("mail = { host = 'h', sender = 'a@b', to = ['b@c, d@e'] }", "to, item 1"),
        ("mail = { host = 'smtp://h', sender = 'a@b', to = ['b@c'] }", "mail.host: must be the name or the address"),
    ],
)
def test_a_slip_in_a_channel_is_named_with_the_nearest_right_one(tmp_path: Path, lines: str, said: str) -> None:
    told = complaint(tmp_path, in_channel(lines))
    assert said in told


@pytest.mark.parametrize(
    "text",
    [
        in_job(f"ping = 'hc.example.org/{SECRET}'"),
        in_job(f"ping = 'ftp://hc.example.org/{SECRET}'"),
        in_job(f"ping = ['https://hc.example.org/{SECRET}']"),
        in_channel(f"urls = ['{SECRET}']"),
        in_channel(f"urls = '{SECRET}'"),
        in_channel(f"urls = ['slack://ok', 7, '{SECRET}']"),
        in_channel(f"mail = 'smtp://user:{SECRET}@host'"),
        in_channel(f"mail = {{ {MAIL}, password = '{SECRET}' }}"),
        in_channel(f"mail = {{ {MAIL}, PASSWORD = '{SECRET}' }}"),
        in_channel(f"mail = {{ {MAIL}, user = 'u', credentials = '{SECRET}' }}"),
        in_channel(f"mail = {{ {MAIL}, user = 7, credentials = ['{SECRET}'] }}"),
        in_channel(f"mail = {{ host = 'u:{SECRET}@mail', sender = 'a@b', to = ['c@d'] }}"),
        in_channel(f"password = '{SECRET}'\nurls = ['x://y']"),
    ],
)
def test_p14_what_may_be_a_secret_is_never_quoted(tmp_path: Path, text: str) -> None:
    assert SECRET not in complaint(tmp_path, text)
    assert SECRET not in complaint(tmp_path, text.replace(SECRET, "${S}"), {**HOME, "S": SECRET})


def test_p14_the_key_of_a_password_says_where_it_belongs(tmp_path: Path) -> None:
    told = complaint(tmp_path, in_channel(f"mail = {{ {MAIL}, password = '{SECRET}' }}"))
    assert told == (
        "coldchain.toml: [notify.crew] mail.password: never stands in this file; "
        'write credentials = "env:NAME" in its place'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"listen = '9464'\n{SMALL}", 'listen: "9464" must be a host and a port'),
        (f"listen = 'h:99999'\n{SMALL}", "must be a host and a port"),
        (f"logs = {{ size = '10' }}\n{SMALL}", 'logs.size: "10" is no size'),
        (f"logs = {{ size = '1 B' }}\n{SMALL}", 'must be "10 kB" or more'),
        (f"logs = {{ jsn = true }}\n{SMALL}", "logs.jsn: unknown key; did you mean 'json'?"),
        (f"logs = {{ keep = -1 }}\n{SMALL}", "logs.keep: -1 must be 0 or more"),
        (f"logs = true\n{SMALL}", "logs: true must be a table"),
        (f"notify = true\n{SMALL}", "notify: true must be a table"),
        (f"{SMALL}[notify.'a b']\nurls = ['x://y']\n", "this cannot be a name"),
        (f"{SMALL}[notify]\ncrew = 7\n", "[notify.crew]: 7 must be a table"),
    ],
)
def test_a_slip_at_the_top_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_a_channel_can_be_changed_for_once(tmp_path: Path) -> None:
    text = in_channel("urls = ['x://y']")
    assert read(tmp_path, text, overrides=["notify.crew.when=problems"]).channels["crew"].when is When.PROBLEMS
    assert "no channel is called" in complaint(tmp_path, text, overrides=["notify.crow.when=problems"])
