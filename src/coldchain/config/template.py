"""What does ``coldchain init`` write?"""

from __future__ import annotations

import json
import re

from coldchain.config.problems import suggestion
from coldchain.errors import ConfigurationError

INSTRUMENTS = ("files",)

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_ESCAPES = re.compile(r"['\x00-\x1f\x7f]")

_TEMPLATE = """\
# What coldchain carries, and where to.  Every key is explained in docs/configuration.md.
# A line that begins with "#" shows the default of a key: take the "#" away to change it.
# ${NAME} in a text is filled from the environment, or from a file .env beside this one.
version = 1

# Where coldchain keeps its own notes: a folder, beside this file unless it is an absolute path.
# state = "coldchain-state"
# The record of what was proved: a file, or postgresql://…
# ledger = "coldchain-state/ledger.sqlite"

[jobs.@INSTRUMENT@]
# Where the instrument writes to.  Windows paths stand in single quotes: 'Z:\\runs'
source = @SOURCE@
# The names of [destinations.…] below.
destinations = ["storage"]
instrument = "@INSTRUMENT@"
# What one dataset is: "folders" (each folder at the top of the source), "whole" (everything is one),
# or a pattern of folders, such as "*/*" (each folder in a folder).
datasets = "folders"

# Which files belong, and which do not, as in .gitignore.
# include = ["*"]
# exclude = []
# How long a file must have been left alone before it is carried.
# settle = "10 min"
# How a copy is proved: "size", "checksum", or "readback" (the stored bytes are read again; the safest).
# verify = "readback"
# What happens when a stored file changed at the source: "replace", "keep-both" or "refuse".
# on_change = "replace"
# "sha256", "blake3" or "md5".
# digest = "sha256"
# Symbolic links are never followed: "refuse" reports each of them, "ignore" leaves them out.
# symlinks = "refuse"
# Stop when more than this share of the stored files changed, of at least so many; false for no brake.
# brake = { share = 0.5, least = 100 }

[destinations.storage]
# A folder, or a share that is mounted.
url = @DESTINATION@
# The name of a file at the destination; {job} and {dataset} may stand before {path}.
# layout = "{path}"
# Keep .coldchain/destination.json there, so that another disk under the same path is noticed.
# marker = true
# false: trouble with this destination never holds the others up.
# required = true
"""


def render_template(instrument: str, *, source: str, destination: str) -> str:
    """Write a whole ``coldchain.toml`` for one source and one destination, both taken literally.

    Raises:
        ConfigurationError: there is no template for the instrument, or a path cannot be written in TOML.
    """
    if instrument not in INSTRUMENTS:
        raise ConfigurationError(
            f"there is no configuration for the instrument {instrument!r}; {suggestion(instrument, INSTRUMENTS)}"
        )
    meanings = {"INSTRUMENT": instrument, "SOURCE": _literal(source), "DESTINATION": _literal(destination)}
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
