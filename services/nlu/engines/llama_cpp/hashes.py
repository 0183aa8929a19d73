"""Integrity of a GGUF model: the sha256 of each of its files is checked before they are loaded."""

from __future__ import annotations

from pathlib import Path

from services.nlu.plan.gguf_file import shards_of
from services.runtime.errors import NotServing
from services.runtime.logs import get_logger
from services.runtime.models import sha256_of

log = get_logger(__name__)

SUMS = "SHA256SUMS"  # beside the model, as `sha256sum *.gguf` writes it


def check_hashes(path: Path, given: str) -> None:
    """Raise NotServing where a file of the model is not the one that its hash names. Reads each once.

    `given`: NLU_MODEL_SHA256, the hashes of the files in their order, by comma. Empty: those in SHA256SUMS beside the
    model, where there is one; else the log says that the files were not checked.
    """
    files = shards_of(path)
    wanted = [sha256.strip().lower() for sha256 in given.split(",") if sha256.strip()]
    source = "NLU_MODEL_SHA256"
    if not wanted and (sums := path.with_name(SUMS)).is_file():
        wanted, source = _read_sums(sums, files), str(sums)
    if not wanted:
        log.warning("model_without_hash", path=str(path), remedy="set NLU_MODEL_SHA256, as sha256sum prints it")
        return
    if len(wanted) != len(files):
        raise NotServing(
            f"{source} has {len(wanted)} hashes and NLU_MODEL={path} {len(files)} files: write one for each, by comma"
        )
    for file, sha256 in zip(files, wanted, strict=True):
        if sha256_of(file) != sha256:
            raise NotServing(f"NLU_MODEL: {file} is not the file that {source} names: get it again")


def _read_sums(sums: Path, files: list[Path]) -> list[str]:
    """Return the hash of each file. Raises NotServing where the list lacks one."""
    found: dict[str, str] = {}
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        sha256, _, name = line.strip().partition(" ")
        found[name.strip().removeprefix("*").removeprefix("./")] = sha256.lower()
    if missing := [file.name for file in files if file.name not in found]:
        raise NotServing(f"{sums} does not name {missing[0]}: write it again with sha256sum *.gguf > {SUMS}")
    return [found[file.name] for file in files]
