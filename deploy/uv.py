"""The path of uv: as make says, on PATH, or where deploy/environment.sh puts it."""

import os
import shutil
from pathlib import Path

_FETCHED = Path(__file__).parents[1] / ".cache" / "uv" / "bin" / "uv"


def find_uv() -> str | None:
    """The uv to use, or None."""
    return os.environ.get("UV") or shutil.which("uv") or (str(_FETCHED) if _FETCHED.is_file() else None)
