"""Is a password found where the configuration says that it is: in the environment, in the keyring of the system?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coldchain.config.credentials import account_at, look_up
from coldchain.errors import ConfigurationError
from coldchain.model import Secret
from tests.stores.smb.conftest import samba
from tests.stores.smb.serving import PASSWORD, USER, Server

__all__ = ["samba"]

SESSION = """
printf unlocked | gnome-keyring-daemon --unlock --components=secrets >/dev/null || exit 99
exec "$@"
"""
needs_keyring = pytest.mark.skipif(
    shutil.which("gnome-keyring-daemon") is None or shutil.which("dbus-run-session") is None,
    reason="the keyring of a desktop: wants gnome-keyring and dbus",
)


def in_a_session(folder: Path, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in the session of a person whose keyring is unlocked, and lies below a folder."""
    home = {"HOME": str(folder / "home"), "XDG_DATA_HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder)}
    return subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", SESSION, "sh", *words],
        input=said, capture_output=True, text=True, check=False, timeout=120, cwd=folder, env={**os.environ, **home},
    )  # fmt: skip


def keep(folder: Path, service: str, user: str, password: str) -> None:
    """As a person does it once."""
    (folder / "home").mkdir(exist_ok=True)
    done = in_a_session(folder, sys.executable, "-m", "keyring", "set", service, user, said=password)
    assert done.returncode == 0, done.stderr


def asked(folder: Path, credentials: str, user: str) -> dict[str, str]:
    """What a program of that person finds."""
    code = """if True:
        import json, sys
        from coldchain.config.credentials import look_up
        from coldchain.errors import ConfigurationError
        try:
            found = look_up(*sys.argv[1:])
            print(json.dumps({"user": found.user, "password": found.password, "shown": repr(found)}))
        except ConfigurationError as error:
            print(json.dumps({"error": str(error)}))
    """
    done = in_a_session(folder, sys.executable, "-c", code, credentials, user)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@needs_keyring
def test_the_keyring_is_asked_for_the_password_of_a_user(tmp_path: Path) -> None:
    keep(tmp_path, "coldchain-nas", "alice", "sésame")
    assert asked(tmp_path, "keyring:coldchain-nas", "alice") == {
        "user": "alice",
        "password": "sésame",
        "shown": "Account(user='alice')",
    }
    said = asked(tmp_path, "keyring:coldchain-nas", "bob")["error"]
    assert said.endswith("has no password of 'bob' for 'coldchain-nas'; store it: keyring set coldchain-nas bob")


@needs_keyring
def test_a_share_is_written_to_with_a_password_from_the_keyring(tmp_path: Path, samba: Server) -> None:
    root = samba.place("from-keyring")
    (tmp_path / "source" / "run1").mkdir(parents=True)
    (tmp_path / "source" / "run1" / "a.tif").write_bytes(b"content")
    config = f"""\
version = 1
[jobs.j]
source = "source"
destinations = ["nas"]
settle = "0 s"
[destinations.nas]
url = "{samba.url(root.name, user=USER)}"
credentials = "keyring:coldchain-nas"
"""
    (tmp_path / "coldchain.toml").write_text(config)
    words = (sys.executable, "-m", "coldchain", "run", "--init")
    done = in_a_session(tmp_path, *words)
    assert done.returncode != 0
    assert "keyring set coldchain-nas" in done.stderr, "the next step is said"
    keep(tmp_path, "coldchain-nas", USER, PASSWORD)
    done = in_a_session(tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "run1" / "a.tif").read_bytes() == b"content"
    assert PASSWORD not in done.stdout + done.stderr


def test_where_no_keyring_can_be_asked_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service has no session, and so no keyring that is unlocked."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match=r"the keyring cannot be asked \(NoKeyringError\)"):
        look_up("keyring:coldchain-nas", "alice")


def test_without_the_package_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigurationError, match=r'pip install "coldchain\[keyring\]"'):
        look_up("keyring:coldchain-nas", "alice")


def test_a_keyring_is_asked_for_somebody() -> None:
    with pytest.raises(ConfigurationError, match="name the user"):
        look_up("keyring:coldchain-nas", "")


def test_the_environment_has_a_password_and_perhaps_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="has no NAS_PASSWORD"):
        look_up("env:NAS", "alice")
    monkeypatch.setenv("NAS_PASSWORD", "sesame")
    assert look_up("env:NAS", "").user == ""
    with pytest.raises(ConfigurationError, match="has no NAS_USER"):
        look_up("env:NAS", "", needs_user=True)
    monkeypatch.setenv("NAS_USER", "bob")
    assert (look_up("env:NAS", "").user, look_up("env:NAS", "").password) == ("bob", "sesame")
    assert look_up("env:NAS", "alice").user == "alice", "whom the configuration names goes before"


def test_nobody_is_asked_where_nothing_is_said() -> None:
    assert look_up("", "alice").password == ""
    assert account_at("sftp://alice@nas", "alice", "env:NAS", Secret("in the URL")).password == "in the URL"


def test_what_is_missing_is_said_of_the_place() -> None:
    with pytest.raises(ConfigurationError, match=r"^sftp://alice@nas: the environment has no NOBODY_PASSWORD$"):
        account_at("sftp://alice@nas", "alice", "env:NOBODY")
