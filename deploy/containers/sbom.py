"""The software bill of materials of an image, CycloneDX 1.6 in JSON: what is in it.

Debian's packages come from the image's own dpkg database and from the control files of those that
deploy.asterisk.archive unpacked, Python's from the metadata of its environment, uv from its own `--version`. The
sha256 of a Python package's archive is added where uv.lock pins exactly one wheel of it for every platform, or its
source.
"""

import json
import tomllib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_NAMESPACE: Final = uuid.UUID("5c0a6a52-5ef0-4b7e-9d7b-3f3b1d6b9a11")
LISTING: Final = r"""
import importlib.metadata, json, pathlib, shutil, subprocess
found = [
    {
        "name": each.metadata["Name"],
        "version": each.version,
        "licence": each.metadata.get("License-Expression") or each.metadata.get("License") or "",
    }
    for each in importlib.metadata.distributions()
]
try:
    status = open("/var/lib/dpkg/status", encoding="utf-8").read()
except FileNotFoundError:
    status = ""
for place in sorted(pathlib.Path("/opt").glob("*/root/var/lib/dpkg/status.d/*")):
    status += "\n\n" + place.read_text(encoding="utf-8")
if (uv := shutil.which("uv")) and not any(each["name"] == "uv" for each in found):
    version = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    found.append({"name": "uv", "version": version, "licence": "MIT OR Apache-2.0"})
print(json.dumps({"python": found, "dpkg": status}))
"""
"""Run by the image's own Python: prints what `read_listing` reads."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of an image."""

    kind: str  # "pypi" or "deb"
    name: str
    version: str
    licence: str = ""
    architecture: str = ""

    @property
    def purl(self) -> str:
        """Return the package URL (purl)."""
        version = self.version.replace("+", "%2B").replace(":", "%3A")
        if self.kind == "deb":
            return f"pkg:deb/debian/{self.name}@{version}?arch={self.architecture}"
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{version}"


def read_listing(text: str) -> list[Package]:
    """The packages in what LISTING printed, by kind and name, each once."""
    listing = json.loads(text)
    found = {Package("pypi", each["name"], each["version"], _short(each["licence"])) for each in listing["python"]}
    for paragraph in listing["dpkg"].split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if line[:1].strip() and ": " in line)
        is_unpacked = "Package" in fields and "Status" not in fields  # a control file has no status
        if is_unpacked or fields.get("Status", "").endswith(" installed"):
            found.add(Package("deb", fields["Package"], fields["Version"], architecture=fields["Architecture"]))
    return sorted(found, key=lambda package: (package.kind, package.name.lower(), package.version))


def _short(licence: str) -> str:
    """A licence's name; some packages put the whole text there."""
    first = licence.strip().splitlines()[0] if licence.strip() else ""
    return first if len(first) <= 60 else ""


def read_hashes(lock: Path) -> dict[tuple[str, str], str]:
    """The sha256 of (name, version) in uv.lock, of those with one archive."""
    hashes = {}
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        archives = package.get("wheels", [])
        archives = archives if len(archives) == 1 else [package["sdist"]] if not archives and "sdist" in package else []
        for archive in archives:
            hashes[package["name"], package["version"]] = archive["hash"].removeprefix("sha256:")
    return hashes


def make_sbom(
    image: str,
    image_id: str,
    version: str,
    packages: list[Package],
    hashes: dict[tuple[str, str], str],
    *,
    now: datetime,
) -> dict[str, Any]:
    """The document. `image_id` is Docker's, as in sha256:1234..."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, image_id)}",
        "version": 1,
        "metadata": {
            "timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": image,
                "name": image,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": image_id.removeprefix("sha256:")}],
            },
        },
        "components": [_component(package, hashes) for package in packages],
        "dependencies": [{"ref": image, "dependsOn": [package.purl for package in packages]}],
    }


def _component(package: Package, hashes: dict[tuple[str, str], str]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
    }
    if package.licence:
        component["licenses"] = [{"license": {"name": package.licence}}]
    if found := hashes.get((package.name.lower().replace("_", "-"), package.version)):
        component["hashes"] = [{"alg": "SHA-256", "content": found}]
    return component


def to_json(document: dict[str, Any]) -> str:
    """The document as it lies in a file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
