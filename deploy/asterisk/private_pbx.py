"""A private Asterisk: configured, started, ready, stopped. Loopback only; all its state in one folder."""

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.asterisk.archive import UnpackedAsterisk
from services.runtime.errors import StartupError

_HERE: Final = Path(__file__).parent
_READY_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 5.0
_LEFT_EMPTY: Final = tuple(
    f"{name}.conf"
    for name in ("acl", "ccss", "cdr", "cel", "features", "manager", "pjproject", "stasis", "udptl", "websocket_client")
)
"""Files whose defaults serve; without them Asterisk's log begins with errors."""


@dataclass(frozen=True, slots=True)
class PbxPorts:
    """The ports of an Asterisk on 127.0.0.1."""

    ari: int = 8088
    sip: int = 15060
    rtp_first: int = 30000
    rtp_last: int = 30999


@dataclass(frozen=True, slots=True)
class PbxAccount:
    """Passwords of ARI and of the telephone `reception`. The defaults are public: they are for loopback only."""

    user: str = "tong-dai"
    password: str = "tong-dai"  # noqa: S105
    app: str = "tong-dai"
    reception_password: str = "reception"  # noqa: S105


class PrivatePbx:
    """One Asterisk process. Its sounds, modules and libraries come from `unpacked`; what it writes is under `state`."""

    def __init__(
        self,
        unpacked: UnpackedAsterisk,
        state: Path,
        *,
        ports: PbxPorts = PbxPorts(),
        account: PbxAccount = PbxAccount(),
        longest_call_s: int = 3660,
        ring_s: int = 30,
    ) -> None:
        self.ports, self.account = ports, account
        self._unpacked, self._state = unpacked, state.resolve()
        self._longest_call_s, self._ring_s = longest_call_s, ring_s
        self._run: Path | None = None  # a socket's path may be 107 bytes, so not under `state`
        self._process: asyncio.subprocess.Process | None = None

    @property
    def ari_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.ari}"

    @property
    def log_file(self) -> Path:
        return self._state / "console.log"

    async def start(self) -> None:
        """Returns when ARI answers. Raises StartupError: a taken port, or Asterisk ended or was not ready in time."""
        if self._process is None:
            self._check_ports()
        self._write_configuration()
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._unpacked.command("-C", str(self._state / "etc/asterisk.conf"), "-f", "-n"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to hand on
            )
        try:
            async with asyncio.timeout(_READY_LIMIT_S):
                while not await asyncio.to_thread(self._ari_answers):
                    if self._process.returncode is not None:
                        raise StartupError(f"Asterisk ended with {self._process.returncode}: see {self.log_file}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.stop()
            raise StartupError(f"Asterisk was not ready within {_READY_LIMIT_S:.0f} s: see {self.log_file}") from None

    async def wait(self) -> int:
        """Wait until the process ends by itself; returns its exit status."""
        assert self._process is not None, "start it first"  # noqa: S101
        return await self._process.wait()

    async def kill(self) -> None:
        """End it without a word, as a crash would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it and remove its socket; calls are cut."""
        await self._end(signal.SIGTERM)
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._run = None

    async def console(self, command: str) -> str:
        """Run a command of Asterisk's console, for example `core show channels`."""
        done = await asyncio.create_subprocess_exec(
            *self._unpacked.command("-C", str(self._state / "etc/asterisk.conf"), "-rx", command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(done.communicate(), timeout=_STOP_LIMIT_S)
        return output.decode(errors="replace")

    async def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            await asyncio.wait_for(self._process.wait(), timeout=_STOP_LIMIT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _check_ports(self) -> None:
        for port, kind, variable in (
            (self.ports.ari, socket.SOCK_STREAM, "PBX_ARI_PORT"),
            (self.ports.sip, socket.SOCK_DGRAM, "PBX_SIP_PORT"),
        ):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise StartupError(f"port {port} is taken ({error.strerror}): set {variable} to another") from error

    def _write_configuration(self) -> None:
        etc = self._state / "etc"
        for folder in ("etc", "lib/keys", "db", "spool/recording", "spool/monitor", "log", "agi"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        self._run = self._run or Path(tempfile.mkdtemp(prefix="pbx-"))
        values = {
            "ETC": etc,
            "MODULES": self._unpacked.modules,
            "STATE": self._state,
            "DATA": self._state / "share",
            "RUN": self._run,
            "SBIN": self._unpacked.root / "usr/sbin",
            "PRODUCTION": _HERE / "production",
            "ARI_PORT": self.ports.ari,
            "SIP_PORT": self.ports.sip,
            "RTP_FIRST": self.ports.rtp_first,
            "RTP_LAST": self.ports.rtp_last,
            "ARI_USER": self.account.user,
            "ARI_PASSWORD": self.account.password,
            "ARI_APP": self.account.app,
            "RECEPTION_PASSWORD": self.account.reception_password,
            "LONGEST_CALL_S": self._longest_call_s,
            "RING_S": self._ring_s,
        }
        for template in (_HERE / "private").glob("*.conf"):
            text = template.read_text(encoding="utf-8")
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            if template.name == "modules.conf":
                text = self._without_missing(text)
            (etc / template.name).write_text(text, encoding="utf-8")
        for name in _LEFT_EMPTY:
            (etc / name).touch()
        for name in ("ari.conf", "pjsip.conf"):
            (etc / name).chmod(0o600)
        self._link_data()

    def _without_missing(self, text: str) -> str:
        modules = {path.name for path in self._unpacked.modules.glob("*.so")}
        lines = [line for line in text.splitlines() if "load=" not in line or ".so" not in line]
        loads = [line for line in text.splitlines() if line.endswith(".so") and line.split("=")[1] in modules]
        return "\n".join([*lines, *loads]) + "\n"

    def _link_data(self) -> None:
        """Asterisk's own data (documentation it parses at start), with our sounds beside it."""
        share = self._state / "share"
        shutil.rmtree(share, ignore_errors=True)
        (share / "sounds/en").mkdir(parents=True)
        for part in self._unpacked.data.iterdir():
            if part.name != "sounds":
                (share / part.name).symlink_to(part.resolve())
        (share / "sounds/en/tong-dai").symlink_to(_HERE / "sounds")

    def _ari_answers(self) -> bool:
        """200, not the 404 it gives while modules load."""
        token = base64.b64encode(f"{self.account.user}:{self.account.password}".encode()).decode()
        request = urllib.request.Request(f"{self.ari_url}/ari/asterisk/info")  # noqa: S310
        request.add_header("Authorization", f"Basic {token}")
        try:
            with urllib.request.urlopen(request, timeout=1.0) as response:  # noqa: S310
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def state_folder(folder: Path) -> Path:
    """Return where a PBX under `folder` keeps what it writes."""
    return folder / f"state-{os.getuid()}"
