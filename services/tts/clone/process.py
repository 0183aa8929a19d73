"""Client of the worker process that runs XTTS, over a pipe."""

import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from services.runtime.errors import EngineFailed
from services.tts.espeak.worker import FRAME, write_frame

LOAD_LIMIT_S = 300.0  # torch takes 20 s to import, 1.9 GB of weights as long
LEARN_LIMIT_S = 50.0  # twenty recordings; lines wait meanwhile, less than the watchdog lets a call take
STEP_LIMIT_S = 20.0  # one piece of a line, on a slow processor

ROOT = Path(__file__).parents[3]


class CloneProcess:
    """One process with the network. Blocking, and one request at a time: call it from a worker's thread.

    A process that died or does not answer in time is ended, and the request raises EngineFailed; `start` makes a new
    one. Lines that the old one spoke are lost.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """`command` starts a process that speaks as services.tts.clone.worker does."""
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._shut: list[str] = []  # lines that are not wanted any more; told with the next request

    @property
    def is_running(self) -> bool:
        return self._child is not None

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child else None

    def start(self) -> dict[str, Any]:
        """Start the process and load the network; return its description. Raises EngineFailed."""
        with self._lock:
            if self._child is None:
                try:
                    self._child = subprocess.Popen(  # noqa: S603 - a program and a folder from the settings
                        self._command,
                        cwd=ROOT,
                        env=self._environment,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        bufsize=0,
                        start_new_session=True,
                    )
                except OSError as error:
                    raise EngineFailed(f"{self._command[0]} does not start: {error.strerror}") from error
            return self._ask({"do": "load"}, LOAD_LIMIT_S)[0]

    def ask(self, request: dict[str, Any], limit_s: float = STEP_LIMIT_S) -> tuple[dict[str, Any], bytes]:
        """Send a request; return its reply. Raises EngineFailed."""
        with self._lock:
            return self._ask(request, limit_s)

    def shut(self, line: str) -> None:
        """A line is not wanted any more. Does not block."""
        self._shut.append(line)

    def close(self) -> None:
        """End the process, also while it works on a request."""
        if (child := self._child) is not None:
            child.kill()
        with self._lock:
            self._end()

    def _ask(self, request: dict[str, Any], limit_s: float) -> tuple[dict[str, Any], bytes]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise EngineFailed("the process of cloned voices is being started again")
        shut, self._shut = self._shut, []
        try:
            write_frame(child.stdin, {**request, **({"shut": shut} if shut else {})})
            message, sound = _read(child.stdout, time.monotonic() + limit_s)
        except OSError as error:
            self._end()
            raise EngineFailed(f"the process of cloned voices failed: {error or type(error).__name__}") from error
        if "error" in message:
            raise EngineFailed(str(message["error"]))
        return message, sound

    def _end(self) -> None:
        child, self._child = self._child, None
        self._shut = []
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _read(pipe: IO[bytes], deadline: float) -> tuple[dict[str, Any], bytes]:
    n_json, n_sound = FRAME.unpack(_exactly(pipe, FRAME.size, deadline))
    message: dict[str, Any] = json.loads(_exactly(pipe, n_json, deadline))
    return message, _exactly(pipe, n_sound, deadline)


def _exactly(pipe: IO[bytes], n_bytes: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < n_bytes:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError("no answer in time")
        piece = pipe.read(n_bytes - len(content))
        if not piece:
            raise ConnectionResetError("it has ended")
        content += piece
    return bytes(content)
