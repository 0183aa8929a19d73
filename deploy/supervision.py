"""One supervisord of our own: started, asked and stopped."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

FOUR_PROCESSES = Path(__file__).with_name("supervisord.conf")
STANDBY = "-standby"  # behind the name of the process that it stands by
ONE_PROCESS = Path(__file__).with_name("supervisord_one.conf")


@dataclass(frozen=True, slots=True)
class ProcessState:
    """The state of one process, as supervisor reports it."""

    name: str
    state: str  # STARTING, RUNNING, BACKOFF, EXITED, FATAL, STOPPING, STOPPED
    pid: int  # 0: none
    exit_status: int


class Supervision:
    """Runs supervisor on one of the two files as a child, in a session of its own so that Ctrl-C reaches us alone.

    A context: leaving it stops every process, waiting as long as they may drain, and then some.
    """

    def __init__(
        self,
        logs_dir: Path,
        drain_s: float,
        *,
        n_gateways: int = 1,
        has_standby: bool = False,
        config: Path = FOUR_PROCESSES,
    ) -> None:
        self._logs_dir = logs_dir
        self._config = config
        self._n_gateways = n_gateways
        self._has_standby = has_standby
        self._stop_s = round(drain_s) + 5

    def __enter__(self) -> "Supervision":
        self._logs_dir.mkdir(parents=True, exist_ok=True)
        # Logs of earlier starts stay, and rotate by their size; what they hold explains no failure of this start.
        self._began_at = {path.name: _place(path) for path in self._logs_dir.glob("*.*")}
        self._run_dir = tempfile.TemporaryDirectory(prefix="tong-dai-")
        environment = os.environ | {
            "TONG_DAI_PYTHON": sys.executable,
            "TONG_DAI_LOGS": str(self._logs_dir),
            "TONG_DAI_RUN": self._run_dir.name,
            "TONG_DAI_STOP_S": str(self._stop_s),
            "TONG_DAI_GATEWAYS": str(self._n_gateways),
            "TONG_DAI_STANDBY": str(self._has_standby).lower(),
        }
        command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(self._config)]
        self._process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(2 * self._stop_s + 10)  # the gateway first, then the models
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._run_dir.cleanup()

    @property
    def is_alive(self) -> bool:
        """Return whether supervisord itself runs."""
        return self._process.poll() is None

    def states(self) -> list[ProcessState]:
        """The state of every process now; empty while supervisord does not answer yet."""
        # A fresh transport each time: one that failed once stays unusable.
        transport = SupervisorTransport(None, None, f"unix://{self._run_dir.name}/supervisor.sock")
        try:
            answer = xmlrpc.client.ServerProxy("http://local", transport).supervisor.getAllProcessInfo()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return []
        finally:
            transport.close()
        assert isinstance(answer, list)  # noqa: S101 (supervisor's interface)
        return [
            ProcessState(each["name"], each["statename"], each["pid"], each["exitstatus"])
            for each in answer
            if each["statename"] != "STOPPED" or not each["name"].endswith(STANDBY)
        ]

    def ended_by(self, name: str) -> str:
        """The signal that ended a process the last time it ended; empty when none did. Only the log tells: of a
        process that ends early the interface keeps nothing.
        """
        log = self._said(self._logs_dir / "supervisor.log")
        exits = re.findall(rf"exited: {re.escape(name)} \((?:terminated by (\w+))?", log)
        return exits[-1] if exits else ""

    def last_word(self, name: str) -> str:
        """The last line a process wrote to stderr."""
        for suffix in ("err", "log"):
            path = self._logs_dir / f"{name}.{suffix}"
            if lines := self._said(path).strip().splitlines():
                return lines[-1]
        return f"it said nothing; see {self._logs_dir}"

    def restart(self, name: str) -> None:
        """Start a process again that was given up."""
        transport = SupervisorTransport(None, None, f"unix://{self._run_dir.name}/supervisor.sock")
        try:
            xmlrpc.client.ServerProxy("http://local", transport).supervisor.startProcess(name, False)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return  # it is asked for again
        finally:
            transport.close()

    def _said(self, path: Path) -> str:
        """The lines of a log file since this start. One that has been rotated since is all of it."""
        if not path.is_file():
            return ""
        inode, size = _place(path)
        old_inode, old_size = self._began_at.get(path.name, (0, 0))
        with path.open("rb") as log:
            log.seek(old_size if inode == old_inode and size >= old_size else 0)
            return log.read().decode(errors="replace")


def _place(path: Path) -> tuple[int, int]:
    """Return a file's identity and length."""
    status = path.stat()
    return status.st_ino, status.st_size
