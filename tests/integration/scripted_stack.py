"""The four services as processes with scripted engines, and what befalls them: kill, stall, return."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.servers import (
    CALL,
    ENGINES,
    NLU,
    SCRIPTED,
    START_LIMIT_S,
    STT,
    TTS,
    Server,
    running,
    spawn,
    stop,
    wait_until_serving,
)

STAGES = {"stt": STT, "nlu": NLU, "tts": TTS, "call": CALL}


@dataclass(slots=True)
class ScriptedStack:
    """Four running services."""

    servers: dict[str, Server]
    settings: Mapping[str, Mapping[str, str]]
    folder: Path
    returned: list[subprocess.Popen[bytes]]
    standby: subprocess.Popen[bytes] | None = None  # a second gateway, which waits for the end of the first

    @property
    def gateway(self) -> str:
        """The address that callers call."""
        return self.servers["call"].target

    def kill(self, name: str) -> None:
        """Gone, without a word."""
        self.servers[name].process.kill()
        self.servers[name].process.wait()

    def stall(self, name: str) -> None:
        """Alive and silent (SIGSTOP)."""
        self.servers[name].process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        """Everything that was killed or stalled serves again."""
        for name, server in self.servers.items():
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
            else:
                self.bring_back(name)

    def bring_back(self, name: str) -> None:
        """A fresh process in the place of a killed one; returns when it serves."""
        old, standby = self.servers[name], self.standby
        if name == "call" and standby is not None:
            self.servers[name] = Server(old.stage, old.engine, old.target, standby, old.log_file, old.backing)
            self.standby = self._spawn(name)
        else:
            log_file = self._log(name)
            self.servers[name] = Server(old.stage, old.engine, old.target, self._spawn(name), log_file, old.backing)
        wait_until_serving(self.servers[name])

    def start_standby(self) -> None:
        """A second gateway, which waits for the end of the first; returns when it waits."""
        self.standby = self._spawn("call")
        waiting = f" {self.standby.pid} "
        give_up_s = time.monotonic() + START_LIMIT_S
        while not any("->" in line and waiting in line for line in Path("/proc/locks").read_text().splitlines()):
            assert self.standby.poll() is None, "the standby ended"
            assert time.monotonic() < give_up_s, "the standby does not wait"
            time.sleep(0.05)

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        """One more process of the same service with the same settings."""
        old = self.servers[name]
        port = int(old.target.rpartition(":")[2])
        targets = {f"GATEWAY_{server.stage.name.upper()}_TARGET": server.target for server in old.backing}
        settings = dict(ENGINES[name][SCRIPTED[name]]) | targets | dict(self.settings.get(name, {}))
        _, process = spawn(STAGES[name], settings, self._log(name), port=port)
        self.returned.append(process)
        return process

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}-again-{len(self.returned)}.log"


@contextmanager
def scripted_stack(
    folder: Path,
    caller_says: Sequence[str],
    settings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    has_standby: bool = False,
) -> Iterator[ScriptedStack]:
    """Start all four; every caller says the same texts in the same order, whatever they really say.

    `settings`: more environment, by "stt", "nlu", "tts", "call". `has_standby`: a second gateway beside the first, as
    `make run-stack` has one.
    """
    all_settings: dict[str, Mapping[str, str]] = dict(settings or {})
    script = folder / "caller.txt"
    folder.mkdir(parents=True, exist_ok=True)
    script.write_text("\n".join(caller_says), encoding="utf-8")
    here = Path(__file__).parent
    quick = {
        "NLU_AGENTS_DIR": str(here / "agents"),
        "NLU_DEFAULT_AGENT": "quick",
        "NLU_SCRIPT_FILE": str(here / "replies.toml"),
    }
    all_settings["nlu"] = quick | dict(all_settings.get("nlu", {}))
    all_settings["tts"] = {"TTS_TONE_MS_PER_CHAR": "30"} | dict(all_settings.get("tts", {}))
    all_settings["stt"] = {"STT_SCRIPT_FILE": str(script)} | dict(all_settings.get("stt", {}))
    with ExitStack() as running_services:
        backing = [
            running_services.enter_context(
                running(STAGES[name], SCRIPTED[name], folder, settings=all_settings.get(name), is_awaited=False)
            )
            for name in ("stt", "nlu", "tts")
        ]
        targets = {f"GATEWAY_{server.stage.name.upper()}_TARGET": server.target for server in backing}
        own = {"GATEWAY_EDGES": "program"}
        if has_standby:
            own["GATEWAY_STANDBY_LOCK_FILE"] = str(folder / "gateway.lock")
        all_settings["call"] = own | targets | dict(all_settings.get("call", {}))
        gateway = running_services.enter_context(
            running(CALL, "script", folder, settings=all_settings["call"], backing=tuple(backing))
        )
        for server in backing:
            wait_until_serving(server)
        servers = dict(zip(("stt", "nlu", "tts", "call"), [*backing, gateway], strict=True))
        stack = ScriptedStack(servers, all_settings, folder, [])
        if has_standby:
            stack.start_standby()
        try:
            yield stack
        finally:
            for server in servers.values():
                if server.process.poll() is None:
                    server.process.send_signal(signal.SIGCONT)
            for process in stack.returned:
                stop(process)
