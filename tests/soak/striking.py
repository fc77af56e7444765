"""What does each fault do, and how does it end?"""

from __future__ import annotations

import errno
import signal
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.soak.plan import FAULTS, Strike
from tests.soak.scene import Scene
from tests.stores.s3 import spoiling
from tests.stores.s3.proxy import Act

End = Callable[[], object]
Begin = Callable[[Scene, Strike], End]


def nothing() -> None:
    """For a fault that is over as it strikes."""


# --- coldchain and its ledger ----------------------------------------------------------------------------------------


def killed(scene: Scene, strike: Strike) -> End:
    scene.carrier.kill()
    scene.insist_on_claims("after a kill")
    return scene.carrier.start


def suspended(scene: Scene, strike: Strike) -> End:
    scene.carrier.signal(signal.SIGSTOP)
    return lambda: scene.carrier.signal(signal.SIGCONT)


def ledger_deleted(scene: Scene, strike: Strike) -> End:
    scene.carrier.kill()
    scene.lose_ledger()
    scene.carrier.start()
    return nothing


def ledger_put_back(scene: Scene, strike: Strike) -> End:
    scene.carrier.kill()
    scene.put_ledger_back()
    scene.carrier.start()
    return nothing


# --- the source ------------------------------------------------------------------------------------------------------


def source_unmounted(scene: Scene, strike: Strike) -> End:
    scene.source.unplug()
    return scene.source.plug


def source_cleared(scene: Scene, strike: Strike) -> End:
    """Somebody makes room: what was verified everywhere goes, but never all of it."""
    for number, path in enumerate(scene.first_files):
        if (number + strike.chance) % 3 == 0 and path not in scene.bench.cleared:
            scene.bench.clear(path)
    return nothing


def forbidden(folder: Callable[[Scene], Path]) -> Begin:
    """Nobody may enter, root without its privilege neither."""

    def begin(scene: Scene, strike: Strike) -> End:
        place = folder(scene)
        mode = stat.S_IMODE(place.stat().st_mode)
        place.chmod(0o000 if strike.chance % 2 else 0o555)
        return lambda: place.chmod(mode)

    return begin


# --- the places ------------------------------------------------------------------------------------------------------


def card_unmounted(scene: Scene, strike: Strike) -> End:
    scene.card.mounted.unplug()
    return scene.card.mounted.plug


def card_full(scene: Scene, strike: Strike) -> End:
    scene.card.fill()
    return scene.card.clear


def share_unmounted(scene: Scene, strike: Strike) -> End:
    scene.share.unmount()
    return scene.share.mount


def ruled(kind: str, *rules: Mapping[str, object]) -> Begin:
    """The share follows further rules for a while."""

    def begin(scene: Scene, strike: Strike) -> End:
        scene.share.rules[strike.fault] = {kind: [{"every": strike.chance % 6 + 1, **rule} for rule in rules]}
        scene.share.tell()

        def end() -> None:
            scene.share.rules.pop(strike.fault, None)
            scene.share.tell()

        return end

    return begin


def altered(name: str) -> Begin:
    def begin(scene: Scene, strike: Strike) -> End:
        scene.alter(name, strike.chance)
        return nothing

    return begin


def manifest_altered(name: str) -> Begin:
    def begin(scene: Scene, strike: Strike) -> End:
        scene.alter_manifest(name, strike.chance)
        return nothing

    return begin


def bucket_killed(scene: Scene, strike: Strike) -> End:
    scene.bucket.weed.kill()
    return scene.bucket.weed.begin


def bucket_suspended(scene: Scene, strike: Strike) -> End:
    scene.bucket.suspend()
    return scene.bucket.resume


def spoilt(method: str, *acts: Act) -> Begin:
    """The link or the server misbehaves at some of the next requests."""

    def begin(scene: Scene, strike: Strike) -> End:
        act = acts[strike.chance % len(acts)]
        scene.bucket.proxy.spoil(method, "", act, skip=strike.chance % 4, times=strike.chance % 5 + 1)
        return nothing

    return begin


def stalls(scene: Scene, strike: Strike) -> End:
    scene.bucket.proxy.spoil(".*", "", spoiling.Stall(strike.lasts_s), times=strike.chance % 3 + 1)
    return nothing


BEGINNINGS: Mapping[str, Begin] = {
    "killed": killed,
    "suspended": suspended,
    "ledger-deleted": ledger_deleted,
    "ledger-put-back": ledger_put_back,
    "source-unmounted": source_unmounted,
    "source-forbidden": forbidden(lambda scene: scene.bench.folder),
    "source-cleared": source_cleared,
    "card-unmounted": card_unmounted,
    "card-full": card_full,
    "card-forbidden": forbidden(lambda scene: scene.card.medium()),
    "card-altered": altered("card"),
    "card-manifest-altered": manifest_altered("card"),
    "share-unmounted": share_unmounted,
    "share-EIO": ruled(
        "faults", {"op": "write", "errno": errno.EIO}, {"op": "fsync", "errno": errno.EIO, "every": 2},
        {"op": "read", "errno": errno.EIO, "every": 5}, {"op": "rename", "errno": errno.EIO, "every": 3},
    ),
    "share-ENOSPC": ruled("faults", {"op": "write", "errno": errno.ENOSPC}, {"op": "create", "errno": errno.ENOSPC}),
    "share-slow": ruled("lies", *({"op": op, "do": "slow", "seconds": 0.1} for op in ("write", "getattr", "fsync"))),
    "share-drops-writes": ruled("lies", {"op": "write", "do": "drop"}),
    "share-flips-writes": ruled("lies", {"op": "write", "do": "flip"}),
    "share-flips-reads": ruled("lies", {"op": "read", "do": "flip"}),
    "share-altered": altered("share"),
    "share-manifest-altered": manifest_altered("share"),
    "bucket-killed": bucket_killed,
    "bucket-suspended": bucket_suspended,
    "bucket-503": spoilt(".*", spoiling.status(503, "SlowDown"), spoiling.status(500, "InternalError")),
    "bucket-resets": spoilt(".*", spoiling.reset),
    "bucket-stalls": stalls,
    "bucket-loses-replies": spoilt("PUT|POST|DELETE", spoiling.lost_reply),
    "bucket-damages-uploads": spoilt("PUT", spoiling.flip_up, spoiling.cut_up),
    "bucket-damages-downloads": spoilt("GET", spoiling.flip_down, spoiling.half_down, spoiling.broken_down),
    "bucket-keeps-nothing": spoilt("PUT", spoiling.phantom, spoiling.keeps_half),
    "bucket-altered": altered("bucket"),
    "bucket-manifest-altered": manifest_altered("bucket"),
}  # fmt: skip
"""How each fault of the plan begins; what is returned ends it."""
assert set(BEGINNINGS) == set(FAULTS)
