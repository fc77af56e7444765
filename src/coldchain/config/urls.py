"""Is a URL of a store well formed, as far as can be told without asking the store?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from coldchain.model import Secret

PASSWORD = re.compile(r"://[^/@]*:(?P<password>(?![0-9]{1,5}/)[^@]*)@")  # a port is none
_SIGNED = re.compile(r"[?&](sig|signature|token|password|secret|x-amz-[a-z-]+|x-goog-[a-z-]+)=", re.IGNORECASE)

_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,254}")
"""As wide as the widest of the providers; the narrower rules of one of them, it says itself."""
_REMOTE = re.compile(r"[\w.+@ -]+")
"""Names of rclone's remotes (rclone.org/docs, "Configuration: valid remote names")."""
_HOSTS_PART = re.compile(r"(?:[^@/]+@)?(?:\[[0-9A-Fa-f:.%]+\]|[^@:/\[\]\s]+)(?::[0-9]{1,5})?")

_FROM_CHAIN = "the key comes from the environment, the provider's own files, or `profile`"
_FROM_NAMES = 'write credentials = "env:NAME" or "keyring:SERVICE" instead'
_SIGN_IN = frozenset({"sftp", "smb", "s3", "fsspec"})
_NEXT_STEP = {
    "file": "folders and mounted shares need none",
    "s3": _FROM_CHAIN,
    "gs": "the key comes from the environment or the provider's own files",
    "az": "the key comes from the environment or the provider's own files",
    "rclone": "rclone keeps it in its own configuration: rclone config",
}


def kind_of(url: str) -> str:
    """The kind of store whose options a place has; every scheme that is not one of ours is ``fsspec``."""
    scheme = url.partition("://")[0] if "://" in url else "file"
    return scheme if scheme in KINDS else "fsspec"


def without_password(text: str) -> tuple[str, Secret | None]:
    """The URL as it may be kept, and the password that stood in it.

    Only kinds that sign in with user and password have a use for one; in other URLs it stays, and is refused.  Of a
    bucket the secret is ``KEY:SECRET``, and the URL keeps neither: with another key it is the same bucket.
    """
    found = PASSWORD.search(text)
    if found is None or kind_of(text) not in _SIGN_IN or not found["password"]:
        return text, None
    start, end = found.span("password")
    if kind_of(text) != "s3":
        return text[: start - 1] + text[end:], Secret(unquote(found["password"]))
    key, secret = text[len("s3://") : start - 1], found["password"]
    return (f"s3://{text[end + 1 :]}", Secret(unquote(f"{key}:{secret}"))) if ":" not in key and key else (text, None)


def check_url(text: str) -> None:
    """Refuse what cannot be a URL of its kind.

    Raises:
        ValueError: with the reason, which does not quote ``text``.
    """
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError("is no URL") from None
    if not url.scheme:
        raise ValueError("is no URL: before :// stands the kind of store, such as file")
    if not text.startswith(url.scheme):
        raise ValueError("must have its scheme, the part before ://, in small letters")
    kind = kind_of(text)
    if PASSWORD.search(text) or _SIGNED.search(text):
        step = _NEXT_STEP.get(kind, _FROM_NAMES)
        raise ValueError(f"must not hold a password or a signature: it would be kept in records and reports; {step}")
    if "\\" in text:
        raise ValueError('must not hold backslashes: the folders of a URL are divided by "/"')
    KINDS.get(kind, _check_other)(url, text)


def _check_file(url: SplitResult, __: str) -> None:
    if url.netloc or not url.path.startswith("/"):
        raise ValueError("must have three slashes, as file:///data; a network share is written as its path")
    if url.query or url.fragment:
        raise ValueError('must not hold "?" or "#": write %3F and %23, or the plain path')


def _check_bucket(url: SplitResult, text: str) -> None:
    bucket, _, folder = text.partition("://")[2].partition("/")
    word = "container" if url.scheme == "az" else "bucket"
    form = f"the form is {url.scheme}://{word} or {url.scheme}://{word}/folder"
    if "@" in bucket:
        raise ValueError(f"must not hold a user or a key in front of the {word}: {_NEXT_STEP[url.scheme]}")
    if url.scheme == "s3" and ":" in bucket and "@" in folder:
        raise ValueError(f"names no bucket; in a secret key in front of it, %2F stands for a slash: {form}")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"names no {word} that there could be: {form}")
    _check_folder(folder, form)


def _check_sftp(__: SplitResult, text: str) -> None:
    form = "the form is sftp://user@host/folder or sftp://host:port/folder"
    host, slash, folder = text.partition("://")[2].partition("/")
    if not slash:
        raise ValueError(f"must name a folder after the host: {form}")
    _check_host(host, form)
    _check_folder(folder, form)


def _check_smb(__: SplitResult, text: str) -> None:
    form = "the form is smb://server/share or smb://user@server/share/folder"
    host, _, path = text.partition("://")[2].partition("/")
    _check_host(host, form)
    if not path.strip("/"):
        raise ValueError(f"must name a share after the server: {form}")
    _check_folder(path, form)


def _check_rclone(__: SplitResult, text: str) -> None:
    form = "the form is rclone://remote or rclone://remote/folder"
    remote, _, folder = text.partition("://")[2].partition("/")
    if ":" in remote:
        raise ValueError(f"must have a slash after the remote, not a colon: {form}")
    if not _REMOTE.fullmatch(remote) or remote.startswith(("-", " ")) or remote.endswith(" "):
        raise ValueError(f"names no remote of rclone: {form}")
    _check_folder(folder, form)


def _check_other(__: SplitResult, text: str) -> None:
    if not text.partition("://")[2]:
        raise ValueError("names no place after ://")


def _check_host(host: str, form: str) -> None:
    if not _HOSTS_PART.fullmatch(host):
        raise ValueError(f"names no host: {form}")
    port = host.rpartition(":")[2]
    if port.isdecimal() and not 0 < int(port) < 1 << 16 and not host.endswith("]"):
        raise ValueError("names a port that does not exist: they go from 1 to 65535")


def _check_folder(folder: str, form: str) -> None:
    if folder and any(name in {"", ".", ".."} for name in folder.rstrip("/").split("/")):
        raise ValueError(f'must not hold "//", "." or ".." in its folder: {form}')


KINDS: Mapping[str, Callable[[SplitResult, str], None]] = {
    "file": _check_file,
    "memory": _check_other,
    "s3": _check_bucket,
    "gs": _check_bucket,
    "az": _check_bucket,
    "sftp": _check_sftp,
    "smb": _check_smb,
    "rclone": _check_rclone,
}
"""The kinds that have a form of their own."""
