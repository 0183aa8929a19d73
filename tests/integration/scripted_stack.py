"""The four services as processes with scripted engines, and what befalls them: kill, stall, return."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.servers import (
    CALL,
    ENGINES,
    NLU,
    SCRIPTED,
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

    @property
    def gateway(self) -> str:
        """Where callers call."""
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
        old = self.servers[name]
        port = int(old.target.rpartition(":")[2])
        targets = {f"GATEWAY_{server.stage.name.upper()}_TARGET": server.target for server in old.backing}
        settings = dict(ENGINES[name][SCRIPTED[name]]) | targets | dict(self.settings.get(name, {}))
        log_file = self.folder / f"{name}-again-{len(self.returned)}.log"
        _, process = spawn(STAGES[name], settings, log_file, port=port)
        self.returned.append(process)
        self.servers[name] = Server(old.stage, old.engine, old.target, process, log_file, old.backing)
        wait_until_serving(self.servers[name])


@contextmanager
def scripted_stack(
    folder: Path, caller_says: Sequence[str], settings: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[ScriptedStack]:
    """Start all four; every caller says the same texts in the same order, whatever they really say.

    `settings`: more environment, by "stt", "nlu", "tts", "call".
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
        all_settings["call"] = {"GATEWAY_EDGES": "program"} | targets | dict(all_settings.get("call", {}))
        gateway = running_services.enter_context(
            running(CALL, "script", folder, settings=all_settings["call"], backing=tuple(backing))
        )
        for server in backing:
            wait_until_serving(server)
        servers = dict(zip(("stt", "nlu", "tts", "call"), [*backing, gateway], strict=True))
        stack = ScriptedStack(servers, all_settings, folder, [])
        try:
            yield stack
        finally:
            for server in servers.values():
                if server.process.poll() is None:
                    server.process.send_signal(signal.SIGCONT)
            for process in stack.returned:
                stop(process)
