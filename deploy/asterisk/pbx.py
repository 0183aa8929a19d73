"""A private Asterisk in the foreground: `python -m deploy.asterisk.pbx`, or `make pbx`. Ctrl-C ends it."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.asterisk.archive import ensure_asterisk
from deploy.asterisk.private_pbx import PbxAccount, PbxPorts, PrivatePbx, state_folder
from deploy.gateways import GatewayProcesses, applications
from services.runtime.errors import StartupError
from services.runtime.settings import read_settings

_WRITABLE: Final = re.compile(r"[!-:<-~]{1,80}")
"""Characters of a value in Asterisk's files: no white space, and no semicolon, which begins a comment."""


class PbxSettings(BaseSettings):
    """The private Asterisk's folder and ports."""

    model_config = SettingsConfigDict(
        env_prefix="PBX_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    folder: Path = Field(default=Path(".cache/asterisk"), description="Folder it is unpacked into.")
    ari_port: int = Field(default=8088, ge=1, le=65535, description="Port of ARI, on loopback.")
    sip_port: int = Field(default=15060, ge=1, le=65535, description="Port phones call, on loopback.")
    rtp_first: int = Field(default=30000, ge=1024, le=65534, description="First port of its media.")
    rtp_last: int = Field(default=30999, ge=1025, le=65535, description="Last port of its media.")
    app: str = Field(
        default="tong-dai",
        description="ARI application that calls are given to; of several, what their names begin with.",
    )
    ari_password_file: Path | None = Field(
        default=None, description="A file with the password of ARI's user; none: the one that everybody knows."
    )
    reception_password_file: Path | None = Field(
        default=None, description="A file with the password of the telephone `reception`; none: its name."
    )
    longest_call_s: int = Field(
        default=3660, ge=1, description="Longest call, in seconds, kept by Asterisk itself; above GATEWAY_MAX_CALL_S."
    )


def read_password(path: Path | None, variable: str, default: str) -> str:
    """The password in the file `path`, or `default` where none is named.

    Raises StartupError: the file cannot be read, or what it holds cannot stand in a file of Asterisk's.
    """
    if path is None:
        return default
    try:
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StartupError(f"{variable}={path} cannot be read ({why}): put the password there") from error
    if not _WRITABLE.fullmatch(password):
        raise StartupError(f"{variable}={path} must hold 1 to 80 characters of ASCII, no white space, no semicolon")
    return password


async def run(settings: PbxSettings, n_gateways: int) -> int:
    """Unpack, start, say where it is, wait. Returns the exit status."""
    began = time.monotonic()
    apps = applications(settings.app, n_gateways)
    known = PbxAccount()
    account = PbxAccount(
        app="&".join(apps),
        password=read_password(settings.ari_password_file, "PBX_ARI_PASSWORD_FILE", known.password),
        reception_password=read_password(
            settings.reception_password_file, "PBX_RECEPTION_PASSWORD_FILE", known.reception_password
        ),
    )
    unpacked = await asyncio.to_thread(ensure_asterisk, settings.folder, _say)
    ports = PbxPorts(settings.ari_port, settings.sip_port, settings.rtp_first, settings.rtp_last)
    pbx = PrivatePbx(
        unpacked,
        state_folder(settings.folder),
        ports=ports,
        account=account,
        longest_call_s=settings.longest_call_s,
    )
    await pbx.start()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    _say(f"{unpacked.version()} is ready after {time.monotonic() - began:.1f} s")
    _say(f"  ARI    {pbx.ari_url}  user {pbx.account.user}  application {', '.join(apps)}")
    _say(f"  call   sip:1000@127.0.0.1:{ports.sip}  (1001 Vietnamese first, 1002 echo)")
    _say(f"  log    {pbx.log_file}")
    _say("next: make run-stack in another terminal, then make call.  Ctrl-C ends it.")
    try:
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(pbx.wait())
            stopped = tasks.create_task(stop.wait())
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            has_died = ended.done()
            ended.cancel()
            stopped.cancel()
    finally:
        await pbx.stop()
    if has_died:
        raise StartupError(f"Asterisk ended by itself: see {pbx.log_file}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    try:
        return asyncio.run(run(PbxSettings(), read_settings(GatewayProcesses).processes))
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    except ValidationError as error:
        for fault in error.errors():
            print(f"PBX_{str(fault['loc'][0]).upper()}={fault['input']!r}: {fault['msg']}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
