"""What does an error of rclone, or of the remote behind it, mean for the caller?

rclone hands on the words of the remote; of its own it has a status, 404 or 500.  So the words must tell.
"""

from __future__ import annotations

import re

from coldchain.errors import (
    ConfigurationError,
    Denied,
    NameRefused,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)

_SECRET = re.compile(
    r"""(?ix) (?<=//)[^/@\s]+@ | \bbearer\s+\S+
    | \b[\w-]*(?:token|secret|passw(?:or)?d|pass|key|sig(?:nature)?|auth(?:orization)?)["']?\s*[=:]
      \s*["']?[^\s"'&,;]+ """
)
_LONGEST = 240
_LOOKED_AT = 2000
"""So much of the beginning and of the end of a message is looked at: a remote may answer with a whole page, and to
search 20,000 characters without a blank takes seconds."""
_PATH = re.compile(r"""\S*(?:/[^\s/]*){2,}|(?<!\S)["'(]*/\S+""")

# in this order: the first that fits counts
_MEANINGS: tuple[tuple[type[StoreError], str, str], ...] = (
    (
        NameRefused,
        r"name( is)? too long|enametoolong|keytoolong|invalid (object|file) ?name|name_invalid|invalid_name"
        r"|malformed_path|eme operates on",
        "the remote refuses this name",
    ),
    (
        StoreFull,
        r"no space left|not enough space|insufficient[ _]?storage|quota|storage.?limit|disk.?full|\b507\b"
        r"|insufficient_space",
        "there is no room left, or the quota is used up",
    ),
    (
        StoreGone,
        r"invalid_grant|token (has )?expired|expired token|couldn't fetch token|empty token|invalid_token|invalidtoken"
        r"|expired_access_token|invalid_access_token|expiredauth|oauth2|\b401\b|unauthori[sz]ed",
        "the sign-in was refused or has expired; run: rclone config reconnect {remote}:",
    ),
    (
        StoreGone,
        r"unable to authenticate|logon|signaturedoesnotmatch|invalidaccesskeyid|knownhosts|key mismatch|bad password"
        r"|login (incorrect|failed)",
        "the server refuses the credentials, or is not the one that is known; correct them by: rclone config update"
        " {remote}",
    ),
    (StoreGone, r"read-only file system|x509|tls:|certificate", "the remote cannot be used"),
    (
        Unreliable,
        r"\b429\b|too many requests|rate.?limit|slow ?down|\b50[0234]\b|service unavailable|corrupted on transfer"
        r"|hashes differ|sizes differ|connection reset|broken pipe|unexpected eof|timeout awaiting|deadline exceeded",
        "the remote is overloaded or the connection failed, also after several tries",
    ),
    (
        StoreGone,
        r"connection refused|no such host|dial tcp|network is unreachable|no route to host|couldn't connect"
        r"|i/o timeout",
        "the remote cannot be reached",
    ),
    (
        Denied,
        r"permission denied|access[ _]?(is )?denied|accessdenied|\b403\b|forbidden|insufficient.?(scope|permission)"
        r"|operation not permitted|not allowed|\b405\b",
        "access is denied: this sign-in has no right to do this here",
    ),
    (
        Occupied,
        r"is a directory|not a directory|not a regular file|already exists|file exists|item_name_in_use|\b409\b"
        r"|conflict",
        "something else stands here, or where a folder would have to be",
    ),
    (
        NotFound,
        r"(object|directory|file|bucket|container|share) (was )?not found|nosuchbucket|nosuchkey|bad.?network.?name"
        r"|no such file|does(n't| not) exist",
        "it is not there",
    ),
)
_PATTERNS = tuple((kind, re.compile(pattern), reason) for kind, pattern, reason in _MEANINGS)


def scrubbed(said: str) -> str:
    """A message on one line, not too long, and without what looks like a secret."""
    plain = " ".join(_SECRET.sub("…", said[:_LOOKED_AT]).split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _without_names(said: str, key: str) -> str:
    """What was said, in small letters and without paths: a file "409/quota.csv" that is not there fills no disk."""
    words = said.lower() if len(said) <= 2 * _LOOKED_AT else f"{said[:_LOOKED_AT]} … {said[-_LOOKED_AT:]}".lower()
    names = {key, *key.split("/")}
    for name in sorted(names, key=len, reverse=True):
        if len(name) > 2 and not name.isalpha():
            words = words.replace(name.lower(), "…")
    return _PATH.sub("…", re.sub(r'"[^"\n]*/[^"\n]*"', "…", words))


def translate(said: str, status: int, *, remote: str, url: str, key: str) -> StoreError | ConfigurationError:
    """The error of the tree for what rclone said."""
    plain = scrubbed(said)
    words = _without_names(said, key)
    if "didn't find section in config file" in words:
        return ConfigurationError(
            f"{url}: rclone knows no remote {remote!r}; `rclone listremotes` shows those it knows, `rclone config` "
            "makes one. The option `config` names another configuration"
        )
    if "didn't find backend called" in words:
        return ConfigurationError(f"{url}: the remote is of a type that this rclone does not know ({plain})")
    for kind, pattern, reason in _PATTERNS:
        if pattern.search(words):
            return kind(f"{reason.format(remote=remote)} ({plain})", url=url, key=key)
    if status == 404:
        return NotFound(f"it is not there ({plain})", url=url, key=key)
    return Unreliable(f"rclone failed ({plain})", url=url, key=key)
