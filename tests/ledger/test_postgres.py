"""What happens when PostgreSQL cannot be reached, refuses, or goes away?"""

from __future__ import annotations

import traceback
from pathlib import Path

import psycopg
import pytest

from coldchain.errors import LedgerDamaged, LedgerError, LedgerReadOnly
from coldchain.ledger.ledger import Ledger
from tests.ledger.conftest import PASSWORD
from tests.ledger.making import DATASET, DISK, JOB, NOW, meet, tamper, verified
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("postgres")


def refusal(url: str) -> LedgerError:
    """The error of opening, in which nothing shows a password, not even its traceback."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url, now=NOW)
    told = "".join(traceback.format_exception(caught.value))
    for secret in (PASSWORD, "wrong-geheim", "wrong%2Dgeheim", "query-geheim"):
        assert secret not in told.replace(repr(url), "")
    return caught.value


def test_p14_a_wrong_password_is_reported_and_never_shown(postgres_url: str) -> None:
    error = refusal(postgres_url.replace(PASSWORD, "wrong%2Dgeheim"))
    assert "check that the server runs, and user, password and database" in str(error)


def test_an_absent_server_database_or_host_is_reported(postgres_url: str) -> None:
    assert "refused" in str(refusal(f"postgresql://u:{PASSWORD}@127.0.0.1:{free_port()}/d"))
    assert "does not exist" in str(refusal(postgres_url + "_absent"))
    assert "cannot be used" in str(refusal(f"postgresql://u:{PASSWORD}@no-such-host.invalid/d"))
    assert "cannot be used" in str(refusal(postgres_url + "?sslmode=verify-full&sslpassword=query-geheim"))


def test_there_is_no_ledger_before_the_first_run(postgres_url: str) -> None:
    with pytest.raises(LedgerError, match="there is no ledger yet at postgresql://127"):
        Ledger.open(postgres_url, create=False, now=NOW)
    with pytest.raises(LedgerError, match="there is no ledger yet"):
        Ledger.open_read_only(postgres_url)
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'coldchain'").fetchone() is None


def test_p12_reading_only_is_enforced_by_the_server(postgres_url: str) -> None:
    Ledger.open(postgres_url, now=NOW).close()
    with Ledger.open_read_only(postgres_url) as ledger, pytest.raises(LedgerReadOnly):
        ledger.begin_run(JOB, "plan", NOW)


def test_an_account_without_the_right_to_write_is_told(postgres_url: str) -> None:
    Ledger.open(postgres_url, now=NOW).close()
    reader = f"reader_{postgres_url.rsplit('_', 1)[1]}"
    with psycopg.connect(postgres_url) as server:
        for statement in (
            f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT USAGE ON SCHEMA coldchain TO {reader}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA coldchain TO {reader}",
        ):
            server.execute(statement)
    url = postgres_url.replace("tester:", f"{reader}:")
    with Ledger.open(url, now=NOW) as ledger, pytest.raises(LedgerReadOnly):
        ledger.begin_run(JOB, "run", NOW)


def test_other_tables_in_the_same_database_are_left_alone(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as server:
        server.execute("CREATE TABLE public.events (mine int)")
        server.execute("INSERT INTO public.events VALUES (42)")
    with Ledger.open(postgres_url, now=NOW) as ledger:
        meet(ledger)
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT mine FROM public.events").fetchall() == [(42,)]


def test_a_lost_connection_ends_the_ledger_because_its_locks_are_lost_too(postgres_url: str, tmp_path: Path) -> None:
    with Ledger.open(postgres_url, now=NOW) as ledger:
        run = meet(ledger)
        with ledger.lock_job(JOB, tmp_path):
            with psycopg.connect(postgres_url, autocommit=True) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            for _ in range(2):
                with pytest.raises(LedgerError, match="cannot be used"):
                    ledger.record(run, JOB, DATASET, [verified("a")], NOW)
    with Ledger.open(postgres_url, now=NOW) as ledger:
        assert list(ledger.stored(JOB, DISK, DATASET)) == []
        assert ledger.unfinished(JOB)


def test_a_part_that_is_missing_is_damage(postgres_url: str) -> None:
    with Ledger.open(postgres_url, now=NOW) as ledger:
        tamper(postgres_url, "DROP TABLE coldchain.records")
        meet(ledger)
        with pytest.raises(LedgerDamaged):
            list(ledger.by_age(JOB, DISK))


def test_two_machines_write_one_chain(postgres_url: str) -> None:
    with Ledger.open(postgres_url, now=NOW) as here, Ledger.open(postgres_url, now=NOW) as there:
        for _ in range(3):
            here.begin_run("one", "run", NOW)
            there.begin_run("two", "run", NOW)
        assert here.head() == there.head()
        assert here.verify_chain().events == 6
