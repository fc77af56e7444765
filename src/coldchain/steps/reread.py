"""Do the manifests of a dataset still say what the ledger says?

They are the way back when the ledger is lost (P8), and what others check the data with (P9): nobody would look at them
until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from coldchain.content.digests import digest_of
from coldchain.content.patience import Patience
from coldchain.errors import ManifestDamaged, NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import manifest_keys, sums_lines
from coldchain.model import Digest
from coldchain.steps.check import absent
from coldchain.steps.generations import Standing, read_standing
from coldchain.steps.plan import Aim
from coldchain.steps.publish import merged
from coldchain.stores.base import Store

_PATIENCE = Patience(retries=1)


class Reread(NamedTuple):
    """One manifest, looked at again."""

    dataset: str
    key: str
    state: str
    """``good``, ``corrupt`` (not what was written), ``lost`` (not there), ``outdated`` (whole, but of an earlier state;
    a run that was cut short leaves such ones) or ``unreadable`` (nobody can tell)."""
    reason: str = ""


def reread(ledger: Ledger, job: str, aim: Aim, dataset: str, algorithm: str) -> Iterator[Reread]:
    """Read both manifests of a dataset of which something is stored there, past the cache.

    The list of sums says what the JSON twin says, so it is read only beside a good one.
    """
    for found in _both(ledger, job, aim, dataset, algorithm):
        if found.state in {"lost", "corrupt"} and (gone := absent(aim.store, aim.volume, silent=True)):
            yield found._replace(state="unreadable", reason=gone)
            return
        yield found


def _both(ledger: Ledger, job: str, aim: Aim, dataset: str, algorithm: str) -> Iterator[Reread]:
    sums_key, json_key = manifest_keys(job, dataset, algorithm)

    def standing() -> Standing:
        mine = ledger.all_records(job, aim.name, dataset)
        return read_standing(aim.store, json_key, dataset, mine, units=False, past_cache=True)

    try:
        found = _PATIENCE.outlast(standing)
    except ManifestDamaged as error:
        yield Reread(dataset, json_key, "corrupt", _why(error, json_key))
        return
    except StoreError as error:
        yield Reread(dataset, json_key, "unreadable", error.reason)
        return
    if not found.key:
        yield Reread(dataset, json_key, "lost", "not there")
        return
    if found.differs:
        yield Reread(dataset, json_key, "outdated", "it does not list what was stored last")
        return
    yield Reread(dataset, json_key, "good")
    wanted = sha256()
    for line in sums_lines(merged(ledger, job, aim.name, dataset, found), algorithm):
        wanted.update(line)
    yield _sums(aim.store, dataset, sums_key, Digest("sha256", wanted.hexdigest()))


def _why(error: ManifestDamaged, key: str) -> str:
    """What is wrong, without the name, which stands beside it, and without what a run would do about it."""
    return str(error).partition(". The data beside")[0].removeprefix(key).lstrip(":, ")


def _sums(store: Store, dataset: str, key: str, wanted: Digest) -> Reread:
    def look() -> Digest:
        with store.read(key, past_cache=True) as reader:
            return digest_of(wanted.algorithm, reader.chunks())[0]

    try:
        found = _PATIENCE.outlast(look)
    except NotFound:
        if wanted.value == sha256().hexdigest():  # the job's digest is another one since
            return Reread(dataset, key, "good")
        return Reread(dataset, key, "lost", "not there")
    except StoreError as error:
        return Reread(dataset, key, "unreadable", error.reason)
    if found != wanted:
        return Reread(dataset, key, "corrupt", "it is not the list that belongs to the JSON beside it")
    return Reread(dataset, key, "good")
