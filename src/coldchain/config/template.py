"""What does ``coldchain init`` write?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from coldchain.config.schema import NAME_RULE, is_name
from coldchain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class _Lines:
    """What is different for one instrument: its defaults, as the configuration layer may not ask it, and examples."""

    title: str = "Where the instrument writes to."
    datasets: str = """\
# What one dataset is, in the words of the instrument; its documentation says which there are.
# For example: datasets = "*/*\""""
    settle: str = 'For example: settle = "10 min"'
    on_change: str = 'For example: on_change = "keep-both"'
    layout: str = "{dataset}/{path}"
    choices: str = ""
    """Keys that mean something to this one, each with its comment."""


_PARTS = """\
# Only these parts of each dataset; all of them when nothing is said.
# For example: parts = ["raw_data"]
"""
_PLATES = """\
# Only these plates: a csv file with a column plate_id or plate_id_full, or a list; all of them when nothing is said.
# For example: plates = "plates.csv"
"""
_FLAG = """\
# The name of the file by which the rig says that a session is over.
# For example: flag = "transfer_me.flag"
"""
_GROWING = """\
# Files that are never closed and only ever appended to: each is carried as long as it is.
# For example: growing = ["Monitor*.txt"]
"""
_PLAIN = _Lines(choices=_PARTS + _PLATES + _FLAG + _GROWING)
_BY_INSTRUMENT = {
    "files": _Lines(
        datasets="""\
# What one dataset is: "folders" (each folder at the top of the source), "whole" (everything is one),
# or a pattern of folders, such as "*/*" (each folder in a folder).
# datasets = "folders\"""",
        settle='settle = "10 min"',
        on_change='on_change = "replace"',
    ),
    "ifcb": _Lines(
        title="The data folder of the IFCB, or a copy of it in folders of years and days.",
        settle='settle = "2 min"',
        on_change='on_change = "keep-both"',
        layout="{job}/{path}",
    ),
    "merscope": _Lines(
        title="The drive of the analysis PC, which holds merfish_raw_data, merfish_analysis and merfish_output.",
        settle='settle = "10 min"',
        on_change='on_change = "replace"',
        layout="{dataset}/{part}/{path}",
        choices=_PARTS,
    ),
    "cellpainting": _Lines(
        title="The folder that holds the plates.",
        settle='settle = "10 min"',
        on_change='on_change = "keep-both"',
        choices=_PLATES,
    ),
    "cytof": _Lines(
        title="The folder into which the acquisition program writes .imd and .fcs files.",
        settle='settle = "15 min"',
        on_change='on_change = "keep-both"',
        layout="{job}/{path}",
    ),
    "rig": _Lines(
        title="The folder of the rig: that of the subjects (Subjects), or one with a folder for each session.",
        datasets="""\
# What one dataset is: "sessions" (SUBJECT/DATE/NUMBER wherever it is found, else each folder at the top),
# or a pattern of folders, such as "*/*" (each folder in a folder).
# datasets = "sessions\"""",
        settle='settle = "10 min"',
        on_change='on_change = "replace"',
        layout="{job}/{dataset}/{path}",
        choices=_FLAG + _GROWING,
    ),
}
INSTRUMENTS = tuple(_BY_INSTRUMENT)
"""Those whose defaults stand in the template; any other gets a plain one."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_ESCAPES = re.compile(r"['\x00-\x1f\x7f]")

_TEMPLATE = """\
# What coldchain carries, and where to.  Every key is explained in docs/configuration.md.
# A line that begins with "#" shows the default of a key: take the "#" away to change it.
# After "For example:" stands a key that has no value when nothing is said.
# ${NAME} in a text is filled from the environment, or from a file .env beside this one.
version = 1

# Where coldchain keeps its own notes: a folder, beside this file unless it is an absolute path.
# state = "coldchain-state"
# The record of what was proved: a file, or postgresql://…
# ledger = "coldchain-state/ledger.sqlite"
# Where "coldchain start" answers /metrics and /healthz.
# For example: listen = "127.0.0.1:9464"
# What is kept of runs: text or JSON lines, so many old files of a job, a new file after so much.
# logs = { json = false, keep = 10, size = "10 MiB" }
# Who is told of runs: by mail, by URLs of Apprise, or both; [notify.NAME] is a table like [jobs.NAME].
# For example: notify = { crew = { mail = { host = "mail.b.example", sender = "a@b.example", to = ["b@b.example"] } } }

[jobs.@TABLE@]
# @TITLE@
# Windows paths stand in single quotes: 'Z:\\runs'
source = @SOURCE@
# The names of [destinations.…] below.
destinations = ["storage"]
instrument = "@INSTRUMENT@"
@DATASETS@
@CHOICES@# What happens to a dataset that its instrument does not call complete: "send" (what is whole is carried, the
# rest is held), "wait" (nothing is carried before it is complete) or "flag" (everything is carried, and reported).
# incomplete = "send"
# Warn of a dataset that is not complete after so long.
# For example: max_open = "3 days"
# Whether the catalogue may hold what concerns people: operators, users, free comments.
# personal = false

# Which files belong, and which do not, as in .gitignore.
# include = ["*"]
# exclude = []
# How long a file must have been left alone before it is carried.
# @SETTLE@
# How a copy is proved: "size", "checksum", or "readback" (the stored bytes are read again; the safest).
# verify = "readback"
# What happens when a stored file changed at the source: "replace", "keep-both" or "refuse".
# @CHANGE@
# "sha256", "blake3" or "md5".
# digest = "sha256"
# Symbolic links are never followed: "refuse" reports each of them, "ignore" leaves them out.
# symlinks = "refuse"
# Stop when more than this share of the stored files changed, of at least so many; false for no brake.
# brake = { share = 0.5, least = 100 }

# When it runs unattended, as in crontab (coldchain schedule install); as files settle, when nothing is said.
# For example: schedule = "30 2 * * *"
# In which time zone that is meant; that of this machine when nothing is said.
# For example: timezone = "Europe/Berlin"
# Who is told of its runs: names of [notify.…].
# For example: notify = ["crew"]
# Look at the source so often, where no events come (network shares).
# For example: poll = "1 min"
# While it is watched, look at everything at least so often.
# look_every = "1 h"
# Carry nothing while one of these programs runs, or while a dataset is acquired ("acquiring").
# For example: pause_while = ["acquiring", "Scope*"]
# "low": under "coldchain watch", other programs of this machine come first; or "normal".
# priority = "low"
# A URL that is asked for after each run, for those who count heartbeats; it may hold a secret.
# For example: ping = "https://health.example.org/ping/scope-2"
# After so long a silence it is called late; by its schedule when nothing is said.
# For example: expect = "2 days"

[destinations.storage]
# A folder, a share that is mounted, or the URL of a store (s3://, gs://, az://, sftp://, smb://, rclone://, …) with
# its options beside it, such as endpoint, storage_class or credentials: never a password.
url = @DESTINATION@
# The name of a file at the destination; {job}, {dataset} and what the instrument knows may stand before {path}.
# layout = "{path}"
# For example: layout = "@LAYOUT@"
# Keep .coldchain/destination.json there, so that another disk under the same path is noticed.
# marker = true
# false: trouble with this destination never holds the others up.
# required = true
"""


def render_template(instrument: str, *, source: str, destination: str) -> str:
    """Write a whole ``coldchain.toml`` for one source and one destination, both taken literally.

    An instrument that is not known here (of another package) gets a plain one; whether there is such an instrument,
    the caller finds out.

    Raises:
        ConfigurationError: the instrument cannot be the name of a job, or a path cannot be written in TOML.
    """
    if not is_name(instrument):
        raise ConfigurationError(f"{instrument!r} cannot be the name of a job: {NAME_RULE}")
    lines = _BY_INSTRUMENT.get(instrument, _PLAIN)
    meanings = {
        "INSTRUMENT": instrument,
        "TABLE": f'"{instrument}"' if "." in instrument else instrument,
        "TITLE": lines.title,
        "SOURCE": _literal(source),
        "DATASETS": lines.datasets,
        "CHOICES": lines.choices,
        "SETTLE": lines.settle,
        "CHANGE": lines.on_change,
        "DESTINATION": _literal(destination),
        "LAYOUT": lines.layout,
    }
    return re.sub("@([A-Z]+)@", lambda found: meanings[found[1]], _TEMPLATE)


def _literal(text: str) -> str:
    """A TOML string that is read as ``text`` again, a ``${`` in it too."""
    if _SURROGATE.search(text):
        raise ConfigurationError(
            f"{text!r} holds bytes that are not UTF-8, which TOML cannot hold; use ${{NAME}} for it"
        )
    escaped = text.replace("${", "$${")
    if not _NEEDS_ESCAPES.search(escaped):
        return f"'{escaped}'"
    return json.dumps(escaped, ensure_ascii=False).replace("\x7f", "\\u007f")
