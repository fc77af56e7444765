"""What is there in one cycle: an instrument, its source, the places, coldchain?"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from coldchain.testing.oracle import read_tree
from tests.soak.acquiring import Bench
from tests.soak.carrier import Carrier
from tests.soak.judging import false_claims, insist
from tests.soak.places import Bucket, Card, Mounted, Place, Share
from tests.soak.plan import BUCKET, CARD, SHARE, Plan
from tests.soak.server import Weed
from tests.stores.s3.proxy import Proxy

SETTLE_S = 1.0
_MANIFEST = re.compile(r"\.coldchain/manifests/.+\.(json|sha256)")


class Scene(contextlib.ExitStack):
    """Everything lies below one folder; mounts, servers and processes are gone when the stack ends."""

    def __init__(self, folder: Path, plan: Plan, weed: Weed, proxy: Proxy) -> None:
        super().__init__()
        self.folder, self.plan = folder, plan
        folder.mkdir(parents=True)
        make: Mapping[str, Callable[[], Place]] = {
            CARD: lambda: Card(folder, self),
            SHARE: lambda: Share(folder, self),
            BUCKET: lambda: Bucket(folder, weed, proxy, self),
        }
        self.bench = Bench(folder / "bench", plan)
        try:
            self.source = Mounted(self.bench.folder, folder / "source", self)
            self.places = {name: make[name]() for name in plan.places}
        except BaseException:
            self.close()
            raise
        self.carrier = Carrier(folder, watches=plan.watches)
        self.callback(self.carrier.kill)
        self.callback(self.bench.stop)
        self.altered: dict[str, dict[str, str]] = {name: {} for name in plan.places}
        """For each place, keys that were altered on the medium, and what stands there since."""
        self.altered_manifests: dict[str, dict[str, str]] = {name: {} for name in plan.places}
        self.is_put_back = False
        """The ledger was replaced by an older copy of itself."""
        self.slowness = 1.0
        """How much longer everything takes here than on a machine that has nothing else to do."""
        self.by_hand = 0
        self.first_files: list[str] = []
        """What an undisturbed run verified at every place, and nobody will write to again."""
        self._configure()

    def _configure(self) -> None:
        lines = ["version = 1", "[jobs.j]", f"instrument = '{self.plan.instrument.partition('-')[0]}'"]
        lines += [f"source = '{self.source.point}'", f"destinations = {list(self.places)}"]
        lines += [f'settle = "{SETTLE_S:g} s"', 'poll = "1 s"', 'look_every = "4 s"']
        for name, place in self.places.items():
            lines += [f"[destinations.{name}]", *place.configuration()]
        (self.folder / "coldchain.toml").write_text("\n".join(lines) + "\n")

    @property
    def card(self) -> Card:
        return next(place for place in self.places.values() if isinstance(place, Card))

    @property
    def share(self) -> Share:
        return next(place for place in self.places.values() if isinstance(place, Share))

    @property
    def bucket(self) -> Bucket:
        return next(place for place in self.places.values() if isinstance(place, Bucket))

    # --- the ledger --------------------------------------------------------------------------------------------------

    @property
    def ledger_file(self) -> Path:
        return self.folder / "coldchain-state" / "ledger.sqlite"

    def keep_ledger(self) -> None:
        """Keep a copy for later, while nobody has it open."""
        for file in self._ledger_files():
            shutil.copy2(file, self.folder / f"older-{file.name}")

    def put_ledger_back(self) -> None:
        self.lose_ledger()
        for file in self.folder.glob("older-*"):
            shutil.copy2(file, self.ledger_file.with_name(file.name.removeprefix("older-")))
        self.is_put_back = True

    def lose_ledger(self) -> None:
        self.is_put_back = False
        for file in self._ledger_files():
            file.unlink()

    def _ledger_files(self) -> list[Path]:
        return sorted(self.ledger_file.parent.glob("ledger.sqlite*"))

    # --- what is stored ----------------------------------------------------------------------------------------------

    def media(self, *, within_reach: bool = False) -> dict[str, Path]:
        """Where to see what lies at each place; ``within_reach`` leaves out a server that is down or suspended."""
        places = self.places.items()
        return {
            name: place.medium()
            for name, place in places
            if not (within_reach and isinstance(place, Bucket) and place.is_away)
        }

    def insist_on_claims(self, when: str) -> None:
        """Whatever the ledger calls read back must be there, at any moment."""
        excused = {name: set(keys) for name, keys in self.altered.items()}
        media = self.media(within_reach=True)
        insist(false_claims(self.ledger_file, self.bench.history, media, excused), when)

    def alter(self, name: str, chance: int) -> None:
        """Damage one stored copy; each file at one place only, so that a sound copy is left."""
        number = self.plan.places.index(name)
        place = self.places[name]
        paths = [p for n, p in enumerate(self.first_files) if n % len(self.places) == number]
        for path in paths[chance % len(paths) :][:3] if paths else ():
            if place.alter(path):
                self.altered[name][path] = read_tree(place.medium())[path]
                return

    def alter_manifest(self, name: str, chance: int) -> None:
        """Damage one of the files that stand beside the data there."""
        place = self.places[name]
        if isinstance(place, Bucket) and place.is_away:
            return
        keys = sorted(key for key in read_tree(place.medium()) if _MANIFEST.fullmatch(key))
        if keys and place.alter(key := keys[chance % len(keys)]):
            self.altered_manifests[name][key] = read_tree(place.medium())[key]

    def still_altered(self) -> dict[str, set[str]]:
        """Damaged copies that are still there."""
        return self._still(self.altered)

    def manifests_still_altered(self) -> dict[str, set[str]]:
        """Damaged manifests that are still there."""
        return self._still(self.altered_manifests)

    def _still(self, altered: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
        trees = {name: read_tree(self.places[name].medium()) for name, keys in altered.items() if keys}
        still = {
            name: {key for key, content in altered[name].items() if tree.get(key) == content}
            for name, tree in trees.items()
        }
        return {name: keys for name, keys in still.items() if keys}

    def clear_the_way(self, named: Collection[tuple[str, str]]) -> None:
        """Take away versions that nobody can replace any more, of the copies (place, key) that are said to be strange.

        A run that is killed after it published a version and before it recorded that leaves a file that the ledger
        does not know; when the source changes again before the next run, that is neither the old version nor the new
        one, and is left alone as if somebody had edited it.
        """
        here = read_tree(self.bench.folder)
        for name, place in self.places.items():
            for key, content in read_tree(place.medium()).items():
                is_late = content in self.bench.history.get(key, ()) and content != here.get(key, content)
                if is_late and (name, key) in named and key not in self.altered[name]:
                    place.take_away(key)
                    self.by_hand += 1

    def heal(self) -> None:
        """End every fault."""
        self.source.heal()
        strays = [f"source: {stray}" for stray in self.source.strays]
        for name, place in self.places.items():
            place.heal()
            strays += [f"{name}: {stray}" for stray in place.strays]
        insist(strays, "written into a mount point while nothing was mounted")
