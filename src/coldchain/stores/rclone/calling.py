"""How is rclone asked to do something, and how often?"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from coldchain.errors import ChangedUnderway, NotFound, StoreError, StoreGone, Unreliable
from coldchain.stores.away import AWAY_S, Away
from coldchain.stores.rclone.daemon import Daemon, running
from coldchain.stores.rclone.ear import MARK, LeftOut
from coldchain.stores.rclone.trouble import translate
from coldchain.stores.rclone.where import Where

Facts = dict[str, Any]
"""What rclone answered, in its own words (rclone.org/rc)."""
_ANSWER_S = 900.0
"""rclone itself gives up a connection that is silent for five minutes, and tries again up to ten times."""
_SLOWEST_BYTES_PER_S = 20_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an order is given that met temporary trouble, and how long is waited in between (with jitter)."""

    tries: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    away_s: float = AWAY_S

    def wait(self, tried: int) -> None:
        """Wait after so many tries."""
        waits: float = min(self.longest_wait_s, self.first_wait_s * 2 ** (tried - 1))
        time.sleep(waits * random.uniform(0.5, 1))  # noqa: S311


PATIENT = Patience()


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket; one for each request, which costs a tenth of a millisecond."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path, self._timeout_s = path, timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)


class Caller:
    """Gives orders to rclone about one place; thread-safe.  Starts rclone when it is first needed."""

    def __init__(self, where: Where, patience: Patience) -> None:
        self._patience, self.where, self._away = patience, where, Away(patience.away_s)
        self.daemon: Daemon = self._start()

    def _start(self) -> Daemon:
        try:
            return running(self.where.manner)
        except StoreError as error:
            error.url = self.where.url
            raise

    def __call__(self, order: str, key: str = "", **values: Any) -> Facts:
        """Give an order that may be given again; ``key`` is only named in errors."""
        return self.about(self.where.fs, order, key, **values)

    def about(self, fs: str, order: str, key: str = "", **values: Any) -> Facts:
        """Give an order about another folder of the remote."""
        for tried in range(1, self._patience.tries + 1):
            try:
                return self.once(order, key, fs=fs, **values)
            except Unreliable:
                if tried == self._patience.tries:
                    raise
                self._patience.wait(tried)
        raise AssertionError("at least one try is made")

    def items(self, fs: str, folder: str) -> list[Facts]:
        """What rclone shows directly in a folder."""
        found = self.about(fs, "operations/list", folder, remote=folder, opt={"noMimeType": True}).get("list")
        if not isinstance(found, list):  # an answer without a list is not that of an empty folder
            raise self._senseless(folder)
        return found

    def item(self, fs: str, path: str, asked: Facts) -> Facts | None:
        """What rclone says of one name; None when nothing is there."""
        answer = self.about(fs, "operations/stat", path, remote=path, opt=asked)
        found = answer.get("item", answer)
        if found is answer or not isinstance(found, dict | None):
            raise self._senseless(path)
        return found

    def telling(self, fs: str, folder: str) -> tuple[list[Facts], list[LeftOut]]:
        """What rclone shows in a folder, and what it says that it left out; one listing after the other."""
        ear, mark = self.daemon.ear, secrets.token_hex(8)
        with ear.turn:
            ear.forget()
            items = self.items(fs, folder)
            with contextlib.suppress(NotFound):
                self.once(f"{MARK}{mark}", folder)
            try:
                return items, ear.left_out(mark)
            except Unreliable as error:
                raise Unreliable(error.reason, url=self.where.url, key=folder) from error

    def pause(self, tried: int) -> None:
        """Wait after so many tries."""
        self._patience.wait(tried)

    def once(self, order: str, key: str = "", *, size_bytes: int = 0, **values: Any) -> Facts:
        """Give an order once; ``size_bytes`` is how much it has to move."""
        return self._away.ask(lambda: self._give(order, key, size_bytes, values))

    def _give(self, order: str, key: str, size_bytes: int, values: Facts) -> Facts:
        body = json.dumps(values).encode()
        headers = {"Content-Type": "application/json"}
        connection, response = self._ask("POST", f"/{order}", body, headers, key, size_bytes)
        try:
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error, key) from error
        finally:
            connection.close()
        try:
            facts = json.loads(content)
        except (ValueError, RecursionError):
            facts = None
        if status != 200:
            said = facts.get("error", "") if isinstance(facts, dict) else content.decode(errors="replace")
            raise self.error(str(said), status, key)
        if not isinstance(facts, dict):
            raise self._senseless(key)
        return facts

    def open(self, key: str, span: str = "") -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Begin to fetch a file; whoever asks closes both."""
        return self._away.ask(lambda: self._fetch(key, span))

    def _fetch(self, key: str, span: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        target = f"/{quote(f'[{self.where.fs}]/{key}', safe='/')}"
        connection, response = self._ask("GET", target, None, {"Range": span} if span else {}, key, 0)
        if response.status in {200, 206}:
            return connection, response
        with contextlib.closing(connection):
            if response.status == 416:
                raise ChangedUnderway("it is shorter than it was", url=self.where.url, key=key)
            said = response.read(2000).decode(errors="replace").strip()
            raise self.error(said or response.reason, response.status, key)

    def _ask(
        self, verb: str, target: str, body: bytes | None, headers: Mapping[str, str], key: str, size_bytes: int
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        timeout_s = _ANSWER_S + size_bytes / _SLOWEST_BYTES_PER_S
        connection = _Connection(self.daemon.socket, timeout_s)
        try:
            connection.request(verb, target, body, {**headers, "Authorization": self.daemon.authorization})
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._broken(error, key) from error

    def _senseless(self, key: str) -> Unreliable:
        return Unreliable("rclone's answer makes no sense", url=self.where.url, key=key)

    def _broken(self, error: Exception, key: str) -> StoreError:
        """Our own connection to rclone failed; that of rclone to the remote would be an error in its words."""
        url = self.where.url
        if isinstance(error, TimeoutError):
            return Unreliable("rclone gives no answer", url=url, key=key)
        if not self.daemon.alive or isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return StoreGone(f"rclone has ended: {self.daemon.last_words()}", url=url, key=key)
        return Unreliable(f"the connection to rclone failed ({type(error).__name__})", url=url, key=key)

    def error(self, said: str, status: int, key: str) -> Exception:
        """The error of the tree for what rclone said."""
        return translate(said, status, remote=self.where.remote, url=self.where.url, key=key)
