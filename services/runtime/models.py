"""The embedded models: which files make one, and proof that the bytes on disk are the right ones.

`deploy/models.toml` is the table. `deploy/fetch_models.py` brings files here; this module only reads and verifies them.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.runtime.errors import NotServing, StartupError

TABLE = Path(__file__).parents[2] / "deploy" / "models.toml"


@dataclass(frozen=True, slots=True)
class PackagePart:
    """Bytes of a model file inside a package."""

    package: str  # a pinned requirement, "name==1.0.0"; of npm's registry, "npm:name@1.0.0"
    path: str  # inside the package, relative to its root


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, known by its hash."""

    name: str
    size_bytes: int
    sha256: str  # 64 lower-case hexadecimal digits
    url: str  # on the model's own hub, at a pinned revision
    parts: tuple[PackagePart, ...]  # joined in order they are the file; may be empty


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its name in the settings."""

    name: str
    about: str
    licence: str
    is_default: bool  # whether the default stack loads it
    files: tuple[ModelFile, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A model that is too large to be fetched by itself, or whose licence must be accepted first."""

    name: str
    about: str
    licence: str
    hub: str
    files: tuple[tuple[str, str], ...]  # name and sha256; empty where it stands on the hub's page alone


@cache
def read_sources(table: Path = TABLE) -> dict[str, Source]:
    """The models of the table that have to be fetched by hand, by name."""
    entries = tomllib.loads(table.read_text(encoding="utf-8")).get("source", [])
    return {
        entry["name"]: Source(
            entry["name"],
            entry["about"],
            entry["licence"],
            entry["hub"],
            tuple((file["name"], file["sha256"]) for file in entry["file"]),
        )
        for entry in entries
    }


@cache
def read_models(table: Path = TABLE) -> dict[str, Model]:
    """Every model of the table, by name."""
    entries = tomllib.loads(table.read_text(encoding="utf-8"))["model"]
    return {entry["name"]: _model(entry) for entry in entries}


def find_model(name: str, table: Path = TABLE) -> Model:
    """The model of this name. Raises NotServing, listing the names there are."""
    models = read_models(table)
    if source := read_sources(table).get(name):
        raise NotServing(
            f"{name} is not fetched by itself ({source.licence}): get "
            f"{', '.join(file for file, _ in source.files)} from {source.hub}, write their hashes with "
            "sha256sum *.gguf > SHA256SUMS once they are the ones of that page, and name the first file by its path"
        )
    if name not in models:
        raise NotServing(f"no model is called {name!r}; {table.name} has {', '.join(sorted(models))}")
    return models[name]


def model_dir(models_dir: Path, name: str, table: Path = TABLE) -> Path:
    """The folder of model `name` under `models_dir`, every file in it verified by sha256 (about a second a gigabyte).

    Raises NotServing, one line with the command that mends it, when a file is missing or its bytes are not the ones
    the table names: such bytes are never loaded.
    """
    model = find_model(name, table)
    folder = models_dir / name
    for file in model.files:
        if fault := find_fault(folder / file.name, file):
            raise NotServing(f"model {name}: {fault}; fetch it again with: make models MODELS={name}")
    return folder


def find_fault(path: Path, file: ModelFile) -> str | None:
    """Return what is wrong with the bytes at `path`, or None when they are the ones `file` names."""
    if fault := find_size_fault(path, file):
        return fault
    if sha256_of(path) != file.sha256:
        return f"{path} is corrupt (its sha256 is not the one in {TABLE.name})"
    return None


def find_size_fault(path: Path, file: ModelFile) -> str | None:
    """Return what can be seen to be wrong without reading the bytes, or None."""
    if not path.is_file():
        return f"{path} is missing"
    if (size := path.stat().st_size) != file.size_bytes:
        return f"{path} is corrupt ({size} bytes, not {file.size_bytes})"
    return None


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hexadecimal; reads it once, without holding it in memory."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _model(entry: dict[str, object]) -> Model:
    match entry:
        case {
            "name": str(name),
            "about": str(about),
            "licence": str(licence),
            "is_default": bool(is_default),
            "hub": str(hub),
            "file": list(files),
        }:
            parsed = tuple(_file(file, hub) for file in files)
            return Model(name, about, licence, is_default, parsed)
    raise StartupError(f"{TABLE.name}: a model lacks a field or has one of another type: {entry.get('name')}")


def _file(entry: dict[str, object], hub: str) -> ModelFile:
    match entry:
        case {"name": str(name), "size_bytes": int(size_bytes), "sha256": str(sha256), "parts": list(parts)}:
            url = f"{hub}/{entry.get('hub_name', name)}"
            found = tuple(PackagePart(part["package"], part["path"]) for part in parts)
            return ModelFile(name, size_bytes, sha256, url, found)
    raise StartupError(f"{TABLE.name}: a file lacks a field or has one of another type: {entry.get('name')}")
