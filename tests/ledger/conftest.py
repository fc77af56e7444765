"""Where do the ledgers of the tests lie?"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from coldchain.ledger.ledger import Ledger
from tests.ledger.making import NOW
from tests.ports import free_port

PASSWORD = "s3cret-of-the-ledger"
_numbers = count(1)


def _programs() -> Path:
    """The folder with the newest initdb and pg_ctl."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    for folder in reversed(folders):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return Path(found).resolve().parent


def _as_its_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


@contextmanager
def served(host: str = "127.0.0.1", *, wrap: tuple[str, ...] = ()) -> Iterator[str]:
    """A real PostgreSQL with a password, started by ``wrap``; yields the URL of its superuser, without a database."""
    programs, manner = _programs(), _as_its_user()
    folder = Path(tempfile.mkdtemp(prefix="coldchain-pg-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    for path in (folder, secret):
        os.chown(path, manner.get("user", -1), manner.get("group", -1))
    port = free_port()
    options = f"-p {port} -c listen_addresses={host} -c unix_socket_directories='' -c fsync=off"
    control = [programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]

    def call(*command: object) -> None:
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120, **manner)

    call(programs / "initdb", "-D", folder / "data", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={secret}")
    with (folder / "data" / "pg_hba.conf").open("a") as guests:
        guests.write("host all all samenet scram-sha-256\n")
    # pg_ctl's child keeps the pipes open: it must have none.
    as_user = ("setpriv", f"--reuid={manner['user']}", f"--regid={manner['group']}", "--clear-groups") if manner else ()
    subprocess.run([*wrap, *as_user, *map(str, control), "-o", options, "start"], check=True, timeout=120, cwd="/",
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        yield f"postgresql://tester:{PASSWORD}@{host}:{port}"
    finally:
        call(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with served() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty database."""
    import psycopg

    name = f"ledger_{next(_numbers)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    return f"{postgres_server}/{name}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state/ledger.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest) -> str:
    """Where a ledger may be made, in each kind of database."""
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A new ledger."""
    with Ledger.open(url, now=NOW) as opened:
        yield opened
