"""ghz, the gRPC load tool: fetched at a pinned version, run on whole streams, read back.

ghz times a stream from its first message to its status and knows only statuses, so the data files ask the server to
fail the stream when a turn fails (`fail_stream_on_turn_failure`).
"""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.runtime.errors import StartupError

VERSION = "v0.121.0"
_ROOT = Path(__file__).parents[2]
_BIN_DIR = _ROOT / ".cache" / "bin"


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """The times that ghz measured."""

    seconds: Sequence[float]  # one a stream; infinite when its status was not OK
    errors: dict[str, int]  # how many streams ended with which error


def ensure_ghz() -> Path:
    """The pinned ghz in the project's own folder, built by `go install` once. Raises StartupError without Go."""
    place = _BIN_DIR / f"ghz-{VERSION}"
    if place.is_file():
        return place
    go = shutil.which("go")
    if go is None:
        raise StartupError(f"Go is missing, and ghz {VERSION} is built with it: apt-get install golang-go")
    print(f"  building ghz {VERSION} (once, about a minute)", flush=True)
    _BIN_DIR.mkdir(parents=True, exist_ok=True)
    command = [go, "install", f"github.com/bojand/ghz/cmd/ghz@{VERSION}"]
    build = subprocess.run(
        command, env=os.environ | {"GOBIN": str(_BIN_DIR)}, capture_output=True, text=True, check=False
    )
    if build.returncode != 0:
        raise StartupError(f"ghz could not be built: {(build.stderr.strip().splitlines() or ['no word from go'])[-1]}")
    (_BIN_DIR / "ghz").rename(place)
    return place


def run_ghz(
    ghz: Path, target: str, *, proto: str, method: str, data: Path, interval_ms: int, streams: int, total: int
) -> StreamTimes:
    """`total` streams on `target`, `streams` of them at a time, each on a connection of its own.

    `data` holds the messages of one stream, sent `interval_ms` apart. Raises StartupError when ghz cannot run.
    """
    command = [
        str(ghz),
        "--insecure",
        "--proto",
        str(_ROOT / "protos" / proto),
        "--import-paths",
        str(_ROOT / "protos"),
    ]
    command += ["--call", method, "--data-file", str(data), "--stream-interval", f"{interval_ms}ms"]
    command += ["--concurrency", str(streams), "--connections", str(streams), "--total", str(total)]
    command += ["--timeout", "60s", "--format", "json", target]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        details = json.loads(run.stdout)["details"]
    except (ValueError, KeyError, TypeError) as error:
        raise StartupError(f"ghz failed: {(run.stderr or run.stdout).strip()[-300:]}") from error
    errors: dict[str, int] = {}
    seconds = []
    for stream in details or ():
        is_good = stream["status"] == "OK"
        seconds.append(stream["latency"] / 1e9 if is_good else math.inf)
        if not is_good:
            said = f"{stream['status']}: {stream['error']}"[:200]
            errors[said] = errors.get(said, 0) + 1
    return StreamTimes(seconds, errors)
