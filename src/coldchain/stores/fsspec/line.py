"""How is one request made of a file system, and how often?"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from coldchain.errors import Denied, NameRefused, NotFound, StoreError, StoreGone
from coldchain.stores.away import AWAY_S, Away
from coldchain.stores.fsspec.trouble import translate
from coldchain.stores.fsspec.where import Where, open_filesystem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request that changes nothing is tried, and how long is waited in between (with jitter)."""

    tries: int = 5
    first_wait_s: float = 0.25
    away_s: float = AWAY_S

    def wait_s(self, tried: int) -> float:
        """How long to wait after so many tries."""
        # jitter keeps many workers from coming back at once; no secret hangs on it
        waits: float = self.first_wait_s * 2 ** (tried - 1)
        return waits * random.uniform(0.5, 1)  # noqa: S311


PATIENT = Patience()
_LONGEST_NAME = 255
"""What is longer was never tried; few places keep it."""


class Line:
    """One file system with its connection; many of them must not be used by two threads at once, so it has a lock."""

    def __init__(self, place: Where, patience: Patience) -> None:
        self.place = place
        self._patience, self._away = patience, Away(patience.away_s)
        self._lock = threading.RLock()
        self._opened: tuple[Any, str] | None = None

    def path(self, key: str) -> str:
        """The path of a key in the file system; raises NameRefused where the file system would take it for another."""
        fs, root = self._open(key)
        if key and any(name in {"", ".", ".."} for name in key.split("/")):
            raise NotFound("no name of a file", url=self.place.url, key=key)
        habit = self.place.habit
        trimmed = habit.trims and any(name != name.strip() for name in key.split("/"))
        path = f"{root.rstrip('/')}/{key}" if key else root
        try:
            path.encode()
            kept = fs._strip_protocol(path) == (path.rstrip("/") or root)
        except ValueError:
            kept = False
        if any(len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME for name in key.split("/")):
            raise NameRefused("the name is too long", url=self.place.url, key=key)
        if not kept or trimmed or any(character in key for character in habit.forbidden):
            raise NameRefused("the file system would make another name of it", url=self.place.url, key=key)
        return path

    def ask(self, key: str, deed: Callable[[Any, str], T]) -> T:
        """Do what changes nothing, with the file system and the path of ``key``; temporary trouble is outlasted."""
        for tried in range(1, self._patience.tries + 1):
            try:
                return self.do(key, deed)
            except StoreError as error:
                if not error.temporary or tried == self._patience.tries:
                    raise
                self.hang_up()
                time.sleep(self._patience.wait_s(tried))
        raise AssertionError("at least one try is made")

    def do(self, key: str, deed: Callable[[Any, str], T]) -> T:
        """Do what changes something: once, for nobody can know what became of a request without a reply."""

        def once() -> T:
            path = self.path(key)
            fs, _ = self._open(key)
            try:
                return deed(fs, path)
            except (AssertionError, TypeError):
                raise
            except Exception as error:
                raise translate(error, url=self.place.url, key=key) from error

        with self._lock:
            return self._away.ask(once)

    def _open(self, key: str) -> tuple[Any, str]:
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = open_filesystem(self.place)
                except StoreError:
                    raise
                except TimeoutError as error:
                    raise StoreGone("the server does not answer", url=self.place.url, key=key) from error
                except (OSError, EOFError, ValueError) as error:
                    raise translate(error, url=self.place.url, key=key) from error
                except Exception as error:
                    if type(error).__module__.startswith("coldchain"):
                        raise
                    raise translate(error, url=self.place.url, key=key) from error
            return self._opened

    def hang_up(self) -> None:
        """Let go of the connection; the next request makes a new one."""
        with self._lock:
            self._opened = None

    # --- the few verbs of which others are made ----------------------------------------------------------------------

    def info(self, key: str) -> dict[str, Any]:
        """What the file system says of one name; raises NotFound."""
        facts: dict[str, Any] = self.ask(key, lambda fs, path: _fresh(fs).info(path))
        return facts

    def ls(self, key: str) -> list[dict[str, Any]]:
        """What it says of everything in one folder; raises NotFound, also for a file."""

        def deed(fs: Any, path: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = _fresh(fs).ls(path, detail=True)
            own = path.strip("/")
            if len(found) == 1 and own and found[0]["name"].strip("/") == own and found[0]["type"] != "directory":
                raise NotADirectoryError(path)
            return found

        return self.ask(key, deed)

    def remove(self, key: str) -> None:
        """Remove one file."""
        self.do(key, lambda fs, path: fs.rm_file(path))

    def make_folder(self, key: str) -> None:
        """Make a folder and those above it; to ask again for one that is there changes nothing."""

        def deed(fs: Any, path: str) -> None:
            try:
                fs.makedirs(path, exist_ok=True)
            except Exception:
                if not fs.isdir(path):  # else somebody else was quicker
                    raise

        self.ask(key, deed)

    def rename(self, old: str, new: str, *, over: bool) -> None:
        """Give a file another name in the same folder; ``over`` says whether one may be taken from another file."""
        target = self.path(new)

        def deed(fs: Any, path: str) -> None:
            if self.place.protocol == "webdav":
                fs.client.move(path, target, overwrite=over)  # Overwrite: F is seen to by the server (RFC 4918, 9.9.3)
                return
            try:
                fs.mv(path, target)
            except Exception:
                if not over:
                    raise
                fs.rm_file(target)  # many servers of FTP never rename over a file
                fs.mv(path, target)

        try:
            self.do(old, deed)
        except Denied as error:
            raise Denied(error.reason, url=self.place.url, key=new) from error


def _fresh(fs: Any) -> Any:
    fs.invalidate_cache()
    return fs
