"""Is this the server that the person knows?

Nothing is ever believed at first sight, and there is no setting that changes this: a password that is typed into the
wrong server is lost, and so are the files.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from coldchain.errors import StoreGone
from coldchain.stores.sftp.where import Where

_SYSTEM = Path("/etc/ssh/ssh_known_hosts")


class Trust(asyncssh.SSHClient):
    """What is known of one server; remembers the key that it showed."""

    def __init__(self, where: Where) -> None:
        self._where = where
        named = Path(where.known_hosts) if where.known_hosts else Path("~/.ssh/known_hosts")
        self._file = named.expanduser()
        self._shown: asyncssh.SSHKey | None = None
        self._known: Sequence[asyncssh.SSHKey] = ()
        self._host, self._port = where.host, where.port

    def look_up(self, host: str, _addr: str, port: int | None) -> Sequence[Any]:
        """What known_hosts says of a host by its name; an address under which another host is known proves nothing."""
        files = [self._file] if self._where.known_hosts else [self._file, _SYSTEM]
        try:
            lists = asyncssh.read_known_hosts([str(file) for file in files if file.is_file()])
            found = lists.match(host, "", port)
        except (OSError, ValueError) as error:
            raise StoreGone(f"{self._file} cannot be read: {error}", url=self._where.url) from error
        self._host, self._port, self._known = host, port, found[0]
        return found

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Asked of a key that is not known."""
        self._shown = key
        return False

    def refusal(self) -> str:
        """Say why this server is not talked to, and what a person would do."""
        host = f"[{self._host}]:{self._port}" if self._port else self._host
        file = shlex.quote(str(self._file))
        port = f"-p {self._port} " if self._port else ""
        scan = f"ssh-keyscan {port}{shlex.quote(self._host)} >> {file}"
        shown = f" ({_named(self._shown)})" if self._shown else ""
        if not self._known:
            return (
                f"the server {host} is not known: its key{shown} is not in {self._file}. Ask whoever runs it whether "
                f"that is its key; if so: {scan}"
            )
        known = ", ".join(_named(key) for key in self._known)
        return (
            f"the server {host} shows another key{shown} than the one in {self._file} ({known}): it was set up anew, "
            f"or somebody stands in between. Nothing was sent. Ask whoever runs it; only if the new key is right: "
            f"ssh-keygen -R {shlex.quote(host)} -f {file} && {scan}"
        )


def _named(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
