"""Does a body that goes out as a file arrive as it is?"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("requests")

from coldchain.stores.objects.pieces import session

KIB = 1 << 10


class _Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300 * KIB])
def test_a_body_of_any_length_arrives_whole(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    http = session(1)
    try:
        for body in (content, bytearray(content)):
            reply = http.put(f"http://127.0.0.1:{server.server_address[1]}/", data=body, timeout=20)
            assert reply.content == content
    finally:
        http.close()
        server.shutdown()
        thread.join()
        server.server_close()
