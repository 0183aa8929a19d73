"""The cells of the bench: scenarios, numbers of calls, settings, and the target of each."""

import random
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.load.caller import Caller
from tests.load.clips import Clip, load_clips
from tests.load.impairment import Impairment
from tests.load.line_echo import LineEcho
from tests.load.report import OUT_DIR, Target
from tests.load.scenarios import Measured, Play, barge_ins, disturbances, echoed_turns, plain_turns
from tests.load.stack import Running, Service

BASE_PORT = 50900
APPLICATION = "tong-dai"
PORTS = {"call_gateway": 50901, "stt_proxy": 50902, "nlu": 50903, "tts": 50904}
METRICS_PORTS = {name: port + 10 for name, port in PORTS.items()}
PREFIXES = {"call_gateway": "GATEWAY", "stt_proxy": "STT", "nlu": "NLU", "tts": "TTS"}
QUESTION = "When do you have a free chair?"
MORE_UTTERANCES = 400
"""Lines in a caller's script: more than any cell uses."""

ONE_TOKEN = (Target("turn_ms", "p50", 350), Target("turn_ms", "p95", 400))
NINE_TOKENS = (Target("turn_ms", "p50", 430), Target("turn_ms", "p95", 480))
ECHO = (Target("interruptions_per_min", "", 0), Target("unasked", "", 0))
BARGE_IN = (Target("barge_in_ms", "p50", 120), Target("barge_in_ms", "p95", 220))
RESUMED = (Target("resumed_percent", "", 95, at_least=True),)
PACING = (Target("pacing_off_ms", "p99", 3), Target("underruns", "", 0))
COST = (Target("front_cpu_s_per_call_min", "", 0.8), Target("rss_mb_per_call", "", 2))
MANY_CALLS = 20
"""From here on the cost of a call is judged: fewer share what an idle process costs."""

BAD_NETWORK = Impairment(loss=0.05, burst_packets=2, jitter_s=0.040, reorder=0.01, duplicate=0.01)
ECHOES = ((120, -12.0), (20, -6.0), (300, -18.0), (80, -24.0), (160, -30.0))
"""Delay in milliseconds, level in decibels: of the first caller, the second, and so on, over and over."""


def line_echo(caller_index: int) -> LineEcho:
    """Return how one caller's line returns what it is sent."""
    delay_ms, db = ECHOES[caller_index % len(ECHOES)]
    return LineEcho(delay_ms=delay_ms, db=db)


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario at one number of calls."""

    scenario: str
    calls: int
    turns: int  # of each caller
    play: Play
    reply: str = "sure"  # of services/nlu/engines/script.toml
    said: Sequence[str] = (QUESTION,)  # what each utterance says, over and over
    tone_ms_per_char: int = 20
    targets: Sequence[Target] = ()
    cores: Mapping[str, Sequence[int]] = field(default_factory=dict)  # of each service; missing: any
    is_embedded: bool = False  # real models in place of scripted ones
    voice: str = "tone"  # of the TTS stage
    has_echo: bool = False  # callers' lines return what they are sent, each in its way
    impairment: Impairment | None = None  # of the network from the callers to the gateway

    def services(self, ari_port: int) -> list[Service]:
        """The four processes, models first."""
        own: dict[str, dict[str, str]] = {
            "stt_proxy": {"STT_ENGINE": "script", "STT_SCRIPT_FILE": self._write_script()},
            "nlu": {"NLU_ENGINE": "script", "NLU_AGENT_KIND": "prompt", "NLU_SCRIPT_REPLY": self.reply},
            "tts": {"TTS_ENGINES": f"*={self.voice}", "TTS_TONE_MS_PER_CHAR": str(self.tone_ms_per_char)},
            "call_gateway": {
                "GATEWAY_EDGES": "ari",
                "GATEWAY_ARI_URL": f"http://127.0.0.1:{ari_port}",
                "GATEWAY_ARI_APP": APPLICATION,
                **{f"GATEWAY_{stage}_TARGET": f"127.0.0.1:{PORTS[name]}" for name, stage in _STAGES.items()},
            },
        }
        return [
            Service(
                name,
                f"127.0.0.1:{PORTS[name]}",
                {**({} if self.is_embedded and name in _STAGES else own[name]), **_ports(name)},
                self.cores.get(name, ()),
            )
            for name in ("stt_proxy", "nlu", "tts", "call_gateway")
        ]

    def _write_script(self) -> str:
        path = OUT_DIR / f"bench-script-{self.scenario}.txt"
        path.parent.mkdir(exist_ok=True)
        lines = [self.said[index % len(self.said)] for index in range(MORE_UTTERANCES)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)


_STAGES = {"stt_proxy": "STT", "nlu": "NLU", "tts": "TTS"}


def _ports(name: str) -> dict[str, str]:
    prefix = PREFIXES[name]
    return {
        f"{prefix}_PORT": str(PORTS[name]),
        f"{prefix}_METRICS_PORT": str(METRICS_PORTS[name]),
        f"{prefix}_MAX_STREAMS": "256",
    }


_COUNTED = {
    "voice_queue_dropped_total": "drops",
    "voice_underruns_total": "underruns",
    "voice_echo_vetoes_total": "echo_vetoes",
    'voice_floor_moves_total{cause="caller_sounded"': "pauses",
    "voice_rtp_lost_packets_total": "lost_packets",
    "voice_rtp_concealed_seconds_total": "concealed_s",
}


def counters(running: dict[str, Running]) -> dict[str, float]:
    """Return what the services counted in the whole cell, the greeting and the first turn included."""
    counted = dict.fromkeys(_COUNTED.values(), 0.0)
    for name in running:
        with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORTS[name]}/metrics", timeout=5) as page:
            for line in page.read().decode().splitlines():
                for beginning, key in _COUNTED.items():
                    if line.startswith(beginning):
                        counted[key] += float(line.rpartition(" ")[2])
    return {key: round(value, 2) for key, value in counted.items()}


def _of_kind(clips: Sequence[Clip], *kinds: str) -> list[Clip]:
    return [clip for clip in clips if clip.kind in kinds and clip.language_code.startswith("en")]


def _all_cells(turns: int) -> list[Cell]:
    """Every cell of the bench, `turns` in each, shared out among its callers."""
    clips = load_clips()
    plain, mixed = _of_kind(clips, "plain"), _of_kind(clips, "plain", "pause")
    random.Random(4).shuffle(mixed)
    interruptions, agreements, coughs = (
        _of_kind(clips, "interruption"),
        _of_kind(clips, "backchannel"),
        [clip for clip in clips if clip.kind == "cough"],
    )

    async def ask(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await plain_turns(caller, plain, n, chance)

    async def ask_mixed(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await plain_turns(caller, mixed, n, chance)

    async def interrupt(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await barge_ins(caller, plain, interruptions, n, chance)

    async def agree(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await disturbances(caller, plain, agreements, n, chance)

    async def listen(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await echoed_turns(caller, plain, n, chance)

    async def cough(caller: Caller, n: int, chance: random.Random) -> Measured:
        return await disturbances(caller, plain, coughs, n, chance)

    cells: list[Cell] = []
    for calls in (1, 5, 10, 20, 40, 50, 60, 75, 80):
        share = max(2, -(-turns // calls))
        cells += [
            Cell("turn-1", calls, share, ask, "sure", targets=ONE_TOKEN),
            Cell("turn-9", calls, share, ask, "nine", targets=NINE_TOKENS),
            Cell("mixed", calls, share, ask_mixed, "nine", said=[clip.text for clip in mixed]),
            Cell("barge-in", calls, share, interrupt, "long", targets=BARGE_IN),
            Cell("backchannel", calls, share, agree, "long", said=(QUESTION, "Uh-huh."), targets=RESUMED),
            Cell("cough", calls, share, cough, "long", said=(QUESTION, ""), targets=RESUMED),
            Cell("echo", calls, share, listen, "long", voice="espeak", has_echo=True, targets=ECHO),
            Cell("impaired", calls, share, ask, "nine", impairment=BAD_NETWORK),
        ]
    cells.append(Cell("embedded", 1, min(turns, 12), ask, is_embedded=True))
    return [_judged_by_number(cell) for cell in cells]


def _judged_by_number(cell: Cell) -> Cell:
    targets = [*cell.targets]
    if cell.calls >= MANY_CALLS:
        targets += COST
    if cell.calls == MANY_CALLS:
        targets += PACING
    return replace(cell, targets=targets)


DEFAULT = [
    ("turn-1", 1),
    ("turn-9", 1),
    ("turn-1", 10),
    ("turn-9", 10),
    ("barge-in", 10),
    ("turn-1", 20),
    ("embedded", 1),
]
DEFAULT_TURNS = 60


PLACEMENTS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "any": {},
    "one": dict.fromkeys(PORTS, (0,)),
    "split": {"call_gateway": (0,), "stt_proxy": (0,), "nlu": (1,), "tts": (1,)},
}
SUFFIXES = {"any": "", "one": "-one-core", "split": "-split"}


def choose(*, scenarios: Sequence[str], calls: Sequence[int], turns: int, cores: str) -> list[Cell]:
    """The cells asked for; without a wish, those the promises are about."""
    cells = _all_cells(turns or DEFAULT_TURNS)
    if scenarios or calls:
        chosen = [
            cell
            for cell in cells
            if (not scenarios or cell.scenario in scenarios) and (not calls or cell.calls in calls)
        ]
    else:
        chosen = [cell for cell in cells if (cell.scenario, cell.calls) in DEFAULT]
    return [replace(cell, scenario=cell.scenario + SUFFIXES[cores], cores=PLACEMENTS[cores]) for cell in chosen]
