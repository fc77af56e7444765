"""As much of Box as rclone's box backend asks for, behind a proxy that ends TLS itself (nothing leaves this machine).

The words are those of the Box API reference (developer.box.com/reference): folders, items, pre-flight, upload, new
versions, sha1, conflicts, rate limit, expired sign-in, no room.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import hashlib
import json
import re
import socket
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Item = dict[str, Any]
TOKEN = "box-canary-token"  # not secret: of a server that lives as long as the tests


class FakeBox(ThreadingHTTPServer):
    """What is stored, and what shall go wrong."""

    daemon_threads = False  # so that `server_close` waits for them, and nobody finds their sockets unclosed

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "c.pem", folder / "k.pem")
        self.lock = threading.RLock()
        self.talking: set[ssl.SSLSocket] = set()
        self.items: dict[str, Item] = {"0": {"id": "0", "type": "folder", "name": "", "parent": None}}
        self.contents: dict[str, bytes] = {}
        self.next_id = 10
        self.too_many = 0
        """So many uploads are answered by 429."""
        self.damage = 0
        """So many uploads are kept with another content."""
        self.token = TOKEN
        self.full = False
        self.read_only = False

    def server_close(self) -> None:
        """Hang up on everybody who still talks, then wait for the threads."""
        for connection in list(self.talking):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def names(self) -> list[str]:
        """The paths of all files."""
        return sorted(self._path(item) for item in self.items.values() if item["type"] == "file")

    def _path(self, item: Item) -> str:
        above = self.items[item["parent"]["id"]]
        return item["name"] if above["id"] == "0" else f"{self._path(above)}/{item['name']}"

    def below(self, folder: str) -> list[Item]:
        return [item for item in self.items.values() if item["parent"] and item["parent"]["id"] == folder]

    def clash(self, folder: str, name: str, but: str = "") -> Item | None:
        found = (item for item in self.below(folder) if item["name"].casefold() == name.casefold())
        return next((item for item in found if item["id"] != but), None)

    def add(self, kind: str, name: str, folder: str, **more: Any) -> Item:
        self.next_id += 1
        number = str(self.next_id)
        item = {"id": number, "type": kind, "name": name, "parent": {"id": folder}, "item_status": "active"}
        self.items[number] = {**item, "etag": "0", "sequence_id": "0", **_times(), **more}
        return self.items[number]

    def keep(self, item: Item, content: bytes, at: Item) -> Item:
        if self.damage:
            self.damage -= 1
            content = bytes(len(content))
        self.contents[item["id"]] = content
        item |= {"size": len(content), "sha1": hashlib.sha1(content).hexdigest(), **_times()}
        item |= {name: at[name] for name in ("content_modified_at", "content_created_at") if name in at}
        return item

    def remove(self, which: str) -> None:
        for item in self.below(which):
            self.remove(item["id"])
        self.items.pop(which)
        self.contents.pop(which, None)


def _times() -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
    return dict.fromkeys(("created_at", "modified_at", "content_created_at", "content_modified_at"), now)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body of an answer waits 40 ms for its head to be acknowledged
    server: FakeBox

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.server.talking.add(self.connection)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False
        try:
            while not self.close_connection:
                self.handle_one_request()
        finally:  # the server knows only of the socket that this one was made of
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
            self.server.talking.discard(self.connection)

    def _say(self, what: Item, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(what).encode(), status, **{"Content-Type": "application/json", **headers})

    def _send(self, body: bytes, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str, **more: Any) -> None:
        headers = {"Retry-After": "1"} if status == 429 else {}
        self._say({"type": "error", "status": status, "code": code, "message": code, **more}, status, **headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while length := int(self.rfile.readline(), 16):
            content += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _answer(self) -> None:
        body = self._body()
        path = self.path.partition("?")[0].replace("/api/2.0", "/2.0").removeprefix("/2.0").rstrip("/")
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._refuse(401, "unauthorized")
        with self.server.lock:
            if path == "/users/me":
                return self._say({"id": "1", "space_amount": 10**10, "space_used": 10**9, "max_upload_size": 5 << 30})
            if self.command != "GET" and self.server.read_only:
                return self._refuse(403, "access_denied_insufficient_permissions")
            if found := re.fullmatch(r"/files(?:/(\d+))?/content", path):
                return self._content(found[1], body)
            if path == "/folders" and self.command == "POST":
                return self._named("folder", json.loads(body))
            if found := re.fullmatch(r"/folders/(\d+)/items", path):
                entries = self.server.below(found[1])
                return self._say({"total_count": len(entries), "entries": entries, "limit": 1000, "offset": 0})
            if (found := re.fullmatch(r"/(?:files|folders)/(\d+)", path)) and found[1] in self.server.items:
                return self._one(self.server.items[found[1]], body)
        return self._refuse(404, "not_found")

    def _named(self, kind: str, wanted: Item) -> None:
        if clash := self.server.clash(wanted["parent"]["id"], wanted["name"]):
            return self._refuse(409, "item_name_in_use", context_info={"conflicts": [clash]})
        return self._say(self.server.add(kind, wanted["name"], wanted["parent"]["id"]), 201)

    def _one(self, item: Item, body: bytes) -> None:
        if self.command == "DELETE":
            self.server.remove(item["id"])
            return self._send(b"", 204)
        if self.command == "PUT":
            wanted = json.loads(body)
            folder = wanted.get("parent", item["parent"])["id"]
            if self.server.clash(folder, wanted.get("name", item["name"]), but=item["id"]):
                return self._refuse(409, "item_name_in_use")
            item |= wanted
        return self._say(item)

    def _content(self, which: str | None, body: bytes) -> None:
        server = self.server
        if self.command == "GET":
            return self._fetch(server.contents.get(which or ""))
        if self.command == "OPTIONS":
            wanted = json.loads(body)
            clash = server.clash(wanted["parent"]["id"], wanted["name"], but=which or "") if not which else None
            if clash:
                return self._refuse(409, "item_name_in_use", context_info={"conflicts": clash})
            return self._refuse(403, "storage_limit_exceeded") if server.full else self._say({"upload_url": None})
        if server.too_many:
            server.too_many -= 1
            return self._refuse(429, "rate_limit_exceeded")
        if server.full:
            return self._refuse(403, "storage_limit_exceeded")
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        parts = list(email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts())
        at, content = (bytes(part.get_payload(decode=True)) for part in parts[:2])
        wanted = json.loads(at)
        if not which and (clash := server.clash(wanted["parent"]["id"], wanted["name"])):
            return self._refuse(409, "item_name_in_use", context_info={"conflicts": clash})
        item = server.items[which] if which else server.add("file", wanted["name"], wanted["parent"]["id"])
        return self._say({"total_count": 1, "entries": [server.keep(item, content, wanted)]}, 201)

    def _fetch(self, content: bytes | None) -> None:
        if content is None:
            return self._refuse(404, "not_found")
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
            span = f"bytes {first}-{last}/{len(content)}"
            return self._send(content[first : last + 1], 206, **{"Content-Range": span})
        return self._send(content, 200)

    do_GET = do_POST = do_PUT = do_OPTIONS = do_DELETE = _answer  # noqa: N815
