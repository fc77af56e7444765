"""Which parsers read what people write, and what the system keeps for them?"""

from __future__ import annotations

import functools
import plistlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from coldchain.config.environment import read_env_file
from coldchain.config.plates import read_plates
from coldchain.config.read import read_config
from coldchain.config.template import render_template
from coldchain.errors import ConfigurationError
from coldchain.schedules import crontab, launchd, windows
from coldchain.schedules.tasks import Manner, Task
from coldchain.stores.local.volume import share_among
from tests.fuzz.target import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task("a", ("/usr/bin/coldchain", "run", "a"), "/etc/coldchain.toml", "30 2 * * *")


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="coldchain-fuzz-"))


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


# --- what people write ------------------------------------------------------------------------------------------------

TOML = b"""version = 1
[logs]
json = true
keep = 3
size = "10 MB"
[notify.lab]
urls = ["json://localhost"]
when = "problems"
digest = "@daily"
mail = { host = "mail.example", sender = "a@example.org", to = ["b@example.org"] }
[jobs.scope]
source = "/data/${NAME}"
destinations = ["nas", "tape"]
instrument = "ifcb"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"
settle = "1 h 30 min"
notify = ["lab"]
brake = { share = "5%", least = 10 }
exclude = ["*.tmp"]
[destinations.nas]
url = "s3://bucket/folder"
layout = "{date}/{path}"
bandwidth = { "08:00-18:00" = "50 MB/s" }
[destinations.tape]
url = "sftp://me@host/folder"
"""


def toml(content: bytes) -> bool:
    """A whole configuration."""
    try:
        read_config(_file("coldchain.toml", content), {"NAME": "x", "HOME": "/home/lab"})
    except ConfigurationError as error:
        assert str(error)
        return False
    return True


def env(content: bytes) -> bool:
    """A ``.env`` file."""
    try:
        return bool(read_env_file(_file(".env", content)))
    except ConfigurationError:
        return False


def plates(content: bytes) -> bool:
    """A ``plates.csv``."""
    try:
        return bool(read_plates(_file("plates.csv", content)))
    except ValueError:
        return False


# --- what the system keeps --------------------------------------------------------------------------------------------

MOUNTS = (
    b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    b"36 35 0:42 / /mnt/my\\040nas rw,noatime master:1 unbindable - cifs //nas/share rw,vers=3\n"
    b"37 35 0:43 /a /mnt/fuse rw - fuse.sshfs me@host:/data rw\n"
)


def mounts(content: bytes) -> bool:
    """``/proc/self/mountinfo``."""
    text = content.decode("utf-8", "surrogateescape")
    found = [share_among(text, device) for device in ("8:1", "0:42", "0:43", "")]
    return found[1] == "cifs://nas/share"


CRONTAB = b"# mine\nMAILTO=me\n0 3 * * * /usr/bin/backup\n" + crontab.with_block("", TASK, NOW).encode()


def cron(content: bytes) -> bool:
    """The crontab of a user; what is not ours stays as it is."""
    text = content.decode("utf-8", "surrogateescape")
    changed = crontab.with_block(text, TASK, NOW)
    assert crontab.holds(changed, TASK, NOW)
    rest = crontab.without_block(text, TASK.mark)
    assert changed.startswith(rest), "lines of somebody else were changed"
    if crontab.without_block(rest, TASK.mark) != rest:
        return False  # blocks within blocks: what is around the inner one is a block again
    left = crontab.without_block(changed, TASK.mark)
    assert left == (rest if not rest or rest.endswith("\n") else rest + "\n")
    return TASK.mark in crontab.marks(changed)


PLIST = launchd.agent(TASK, Manner(), Path("/x"), NOW).files[0][1]
TASK_XML = windows.document(TASK, Manner(), NOW)


def plist(content: bytes) -> bool:
    """A property list of launchd, in XML or binary."""
    return launchd.mark_of(content) == TASK.mark


def task_xml(content: bytes) -> bool:
    """A task of Windows' Task Scheduler."""
    return windows.mark_of(content) == TASK.mark


TARGETS = (
    Target("toml", toml, (TOML, render_template("ifcb", source="/data", destination="/mnt/nas").encode()),
           (b"[[jobs]]", b"${", b"$${", b"''" + b"'", b'"file:///x"', b"a.b.c = 1", b"2026-01-01",
            b"s3://a:b@c/d", b"\\u0000")),
    Target("env", env, (b"NAME=x\n# no\nexport OTHER='y z'\nTHIRD=\"a\\\"b\"\n",)),
    Target("plates", plates, (b"plate_id,plate_id_full\nBR1,BR1__x\n", b"\xef\xbb\xbfplate_id;x\r\n BR1 ;2\r\n")),
    Target("mountinfo", mounts, (MOUNTS,), (b" - ", b"0:42", b" - fuse x y")),
    Target("crontab", cron, (CRONTAB,), (f"# >>> {TASK.mark}\n".encode(), f"# <<< {TASK.mark}\n".encode())),
    Target("plist", plist, (PLIST, plistlib.dumps(plistlib.loads(PLIST), fmt=plistlib.FMT_BINARY)),
           (b"<date>x</date>", b"<integer></integer>", b"<data>!</data>", b"<key>a</key>",
            b"<dict/>", b"<array>" * 900)),
    Target("task-xml", task_xml, (TASK_XML,), (b"<a>" * 900, b'encoding="utf-7"')),
)  # fmt: skip
