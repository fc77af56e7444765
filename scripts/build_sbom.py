"""What is coldchain made of, said in a form that other programs read (CycloneDX 1.6)?

Made of ``requirements/run.txt``, which names every package that an installation with all extras may bring, with the
digests that each must have.  The same lock gives the same bytes: there is neither a time nor a random number in it.
hatchling calls this file while it builds a wheel, and puts the result into its ``dist-info/sboms`` (PEP 770).

Sources: https://cyclonedx.org/docs/1.6/json/, https://peps.python.org/pep-0770/,
https://github.com/package-url/purl-spec (how ``pkg:pypi`` is written)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "coldchain.cdx.json"
_LOCK = Path("requirements", "run.txt")
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\")
_HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"    # +(?:via )?(?P<by>(?!via$)[A-Za-z0-9._]+[A-Za-z0-9._-]*)(?: \(pyproject\.toml\))?")


class Pinned(NamedTuple):  # hatchling loads this file in a way that dataclasses do not bear
    """One package of the lock."""

    name: str
    version: str
    marker: str
    """Where it is needed; "" everywhere."""
    digests: tuple[str, ...]
    """SHA-256 of each of its files: any of them may be the one that is installed."""
    wanted_by: tuple[str, ...]
    """Names of packages of the lock, and of coldchain itself."""

    @property
    def purl(self) -> str:
        """Its name for programs that look for known vulnerabilities."""
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version.replace('+', '%2B')}"


def read_lock(text: str) -> Iterator[Pinned]:
    """The packages of a lock with hashes as ``uv pip compile`` writes it; raises ValueError for a line unlike that."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        first, *rest = block.splitlines() or [""]
        if first.startswith("#"):
            continue
        found = _PINNED.fullmatch(first)
        digests = tuple(sorted(_HASH.findall(block)))
        if found is None or not digests:
            raise ValueError(f"{_LOCK}: {first!r} is no version with a hash")
        by = (match["by"] for line in rest if (match := _VIA.fullmatch(line)))
        yield Pinned(found["name"], found["version"], found["marker"] or "", digests, tuple(by))


def sbom(version: str, packages: list[Pinned]) -> dict[str, Any]:
    """The bill of materials of one version of coldchain."""
    own = f"pkg:pypi/coldchain@{version}"
    refs = {"coldchain": own} | {package.name: package.purl for package in packages}
    wants: dict[str, list[str]] = {ref: [] for ref in refs.values()}
    for package in packages:
        for name in package.wanted_by:
            wants[refs[name]].append(package.purl)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "coldchain",
                "version": version,
                "licenses": [{"license": {"id": "MIT"}}],
                "purl": own,
            }
        },
        "components": [_component(package) for package in packages],
        "dependencies": [{"ref": ref, "dependsOn": sorted(wanted)} for ref, wanted in sorted(wants.items())],
    }


def _component(package: Pinned) -> dict[str, Any]:
    """One package; its digests are those of its files, of which each machine takes one, so they are no ``hashes``."""
    properties = [{"name": "coldchain:sha256", "value": digest} for digest in package.digests]
    if package.marker:
        properties.append({"name": "coldchain:marker", "value": package.marker})
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "scope": "optional" if package.marker else "required",
        "purl": package.purl,
        "properties": properties,
    }


def written(root: Path, version: str) -> bytes:
    """The bill of materials as it stands in the wheel."""
    packages = list(read_lock((root / _LOCK).read_text(encoding="utf-8")))
    return json.dumps(sbom(version, packages), indent=1).encode("ascii") + b"\n"


class SbomHook(BuildHookInterface):  # type: ignore[type-arg] # its parameter is not exported
    """Puts the bill of materials into the wheel; an editable installation is none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the file that hatchling takes."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory(prefix="coldchain-sbom-")
        file = Path(self._folder.name, NAME)
        file.write_bytes(written(Path(self.root), self.metadata.version))
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take it away again."""
        del build_data, artifact_path
        if version != "editable":
            self._folder.cleanup()


if __name__ == "__main__":
    sys.stdout.buffer.write(written(Path(__file__).resolve().parents[1], sys.argv[1]))
