"""Is nothing sent to a server that is not the one that is known, and is no secret ever said?"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from coldchain.errors import ConfigurationError, StoreGone
from coldchain.stores.sftp.store import SftpStore
from tests.ports import free_port
from tests.stores.sftp.failing import PASSWORD, Server
from tests.stores.sftp.serving import HASTY, Sshd, make_key


def test_an_unknown_server_is_refused_with_the_command_that_makes_it_known(sshd: Sshd, tmp_path: Path) -> None:
    options = sshd.options() | {"known_hosts": str(tmp_path / "none")}
    with pytest.raises(StoreGone, match="is not known") as caught:
        SftpStore(sshd.url(tmp_path), options=options, patience=HASTY).volume()
    assert "SHA256:" in caught.value.reason
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {tmp_path / 'none'}" in caught.value.reason


def test_without_the_option_it_is_the_usual_file_that_counts(sshd: Sshd, tmp_path: Path, nobody_s_home: Path) -> None:
    options = {"key": sshd.options()["key"]}
    store = SftpStore(sshd.url(tmp_path), options=options, patience=HASTY)
    with pytest.raises(StoreGone, match="is not known"):
        store.volume()
    store.close()
    shutil.copy(sshd.known_hosts, nobody_s_home / ".ssh" / "known_hosts")
    store = SftpStore(sshd.url(tmp_path), options=options, patience=HASTY)
    assert "SHA256:" in store.volume()
    store.close()


def test_a_changed_key_is_refused_whatever_ssh_config_says(sshd: Sshd, tmp_path: Path, nobody_s_home: Path) -> None:
    (nobody_s_home / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile none\n")
    make_key(tmp_path / "other")
    other = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {other[0]} {other[1]}\n")
    with pytest.raises(StoreGone, match="shows another key") as caught:
        SftpStore(sshd.url(tmp_path), options=sshd.options() | {"known_hosts": str(known)}, patience=HASTY).volume()
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f '{known}' && ssh-keyscan" in caught.value.reason


def test_a_known_address_is_no_known_name(sshd: Sshd, tmp_path: Path) -> None:
    url = sshd.url(tmp_path).replace("127.0.0.1", "localhost")
    with pytest.raises(StoreGone, match=r"is not known|does not answer|nothing answers"):
        SftpStore(url, options=sshd.options(), patience=HASTY).volume()


def test_a_key_that_the_server_does_not_have_is_denied(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "mine")
    with pytest.raises(StoreGone, match="does not let us in") as caught:
        SftpStore(sshd.url(tmp_path), options=sshd.options() | {"key": str(key)}, patience=HASTY).volume()
    assert "ssh-copy-id" in caught.value.reason


def test_a_key_with_a_passphrase_or_none_at_all_is_said_in_words(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "mine", passphrase="s3cret-phrase")
    for file, words in (
        (key, "ssh-add"),
        (tmp_path / "absent", "cannot be read"),
        (sshd.known_hosts, "no private key"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            SftpStore(sshd.url(tmp_path), options=sshd.options() | {"key": str(file)}, patience=HASTY).volume()


def test_a_password_comes_from_the_environment_and_is_said_nowhere(
    failing: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = failing.store(tmp_path)
    assert store.volume()
    store.close()
    monkeypatch.setenv("COLDTEST_PASSWORD", wrong := PASSWORD + "-wrong")
    store = failing.store(tmp_path)
    with pytest.raises(StoreGone, match="does not let us in as cold with the password of env:COLDTEST") as caught:
        store.volume()
    said = caplog.text + repr(store) + str(vars(store)) + repr(caught.value) + str(caught.value.__cause__)
    assert PASSWORD not in said
    assert wrong not in said
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert PASSWORD.encode() not in file.read_bytes()
    monkeypatch.delenv("COLDTEST_PASSWORD")
    with pytest.raises(ConfigurationError, match="no COLDTEST_PASSWORD"):
        failing.store(tmp_path).volume()


def test_a_password_in_the_url_goes_nowhere() -> None:
    store = SftpStore("sftp://me:canary@host/data/")
    assert store.url == "sftp://me@host/data"
    assert "canary" not in str(vars(store))


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("sftp:///data", {}),
        ("sftp://h:99999/x:canary", {}),
        ("sftp://h/a/../b", {}),
        ("sftp://h/a?x=canary", {}),
        ("sftp://h/a", {"strict": "no"}),
        ("sftp://h/a", {"credentials": "canary"}),
    ],
)
def test_a_url_or_option_that_makes_no_sense_is_refused(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SftpStore(url, options=options)
    assert "canary" not in str(caught.value)


def test_an_unreachable_server_is_said_in_words(tmp_path: Path) -> None:
    options = {"known_hosts": str(tmp_path / "none")}
    for url, words in (
        (f"sftp://127.0.0.1:{free_port()}/x", "nothing answers"),
        ("sftp://no-such-host.invalid/x", "no computer is called"),
    ):
        with pytest.raises(StoreGone, match=words):
            SftpStore(url, options=options, patience=HASTY).volume()
