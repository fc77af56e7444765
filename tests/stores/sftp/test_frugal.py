"""Does a connection that saves packets carry every byte, whatever the server wants of it?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.model import Entry
from tests.stores.sftp.serving import Sshd, free_port

MIB = 1 << 20


@pytest.fixture(params=["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"])
def changing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sshd]:
    """A server that wants other keys after each MiB."""
    server = Sshd(tmp_path / "sshd", free_port(), (f"Ciphers={request.param}", "RekeyLimit=1M"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_new_keys_in_the_middle_of_a_file_cost_no_byte(changing: Sshd, tmp_path: Path) -> None:
    root = tmp_path / "nas"
    root.mkdir()
    store = changing.store(str(root))
    contents = {"large": os.urandom(9 * MIB), **{f"run/small{n}": os.urandom(20_000) for n in range(100)}}
    staging = store.stage("test")
    for key, content in contents.items():
        sink = staging.open(key, Entry(key, len(content), 10**18))
        for start in range(0, len(content), MIB):
            sink.write(content[start : start + MIB])
        sink.close()
    staging.flush()
    for key, content in contents.items():
        with staging.read_back(key) as reader:
            assert b"".join(reader.chunks()) == content
    published = staging.publish(dict.fromkeys(contents))
    staging.close()
    assert published == {key: store.stat(key) for key in contents}
    store.close()
    assert {key: (root / key).read_bytes() for key in contents} == contents
