"""A call on chains of engines that say nothing until a test does."""

import asyncio

import numpy as np

from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.stt_proxy.engine import (
    Hints,
    Lost,
    Report,
    Span,
    Speech,
)
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.routed_call import RoutedCall
from services.stt_proxy.routing import POLICY, RoutedEngine

from .followed_line import RATE
from .rig import DictationCall, DictationEngine

BROKEN = Lost(0, "UNAVAILABLE", "the connection broke", is_retryable=True)


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Engine(DictationEngine):
    """An engine with a name of its own, whose engine_calls say nothing until the test does."""

    def __init__(self, name: str, *languages: str) -> None:
        super().__init__()
        self.name = self.model = name
        self.language_codes = languages
        self.fault: Exception | None = None
        self.may_load = asyncio.Event()
        self.may_load.set()

    async def load(self) -> None:
        await self.may_load.wait()
        if self.fault is not None:
            raise self.fault

    def listen(self, **how: object) -> DictationCall:
        engine_call = super().listen(**how)  # type: ignore[arg-type]
        engine_call.hints = [how["hints"]]  # type: ignore[list-item]
        engine_call.text = None
        return engine_call


class Rig:
    """A call on chains of such engines."""

    def __init__(self, chains: dict[str, tuple[str, ...]], **languages: tuple[str, ...]) -> None:
        names = dict.fromkeys(name for chain in chains.values() for name in chain)
        self.engines = {name: Engine(name, *languages.get(name, ())) for name in names}
        self.clock = Clock()
        self.board = ProviderBoard(StageMetrics("stt"), POLICY, self.clock)
        self.routed = RoutedEngine(chains, self.engines, self.board)
        self.reports: list[Report] = []
        self.engine_call: RoutedCall

    async def begin(self, *codes: str) -> None:
        await self.routed.load()
        self.listen(*codes)

    def listen(self, *codes: str) -> None:
        self.engine_call = self.routed.listen(
            call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
            hints=Hints(language_codes=codes or ("en",)), report=self.reports.append,
        )  # fmt: skip

    def engine_calls(self, name: str) -> list[DictationCall]:
        return self.engines[name].engine_calls

    def say(self, utterance_id: int, start: int, end: int | None) -> None:
        self.engine_call.reach(start)
        self.engine_call.speech(utterance_id, start, is_begin=True)
        if end is not None:
            self.engine_call.reach(end)
            self.engine_call.speech(utterance_id, end, is_begin=False)

    def ask(self, request_id: int, utterance_id: int, start: int, end: int, *, is_final: bool = True) -> None:
        clip = Clip(start, np.zeros(end - start, np.int16))
        self.engine_call.recognize(
            Speech(request_id, utterance_id, (Span(start, end),), (clip,), RATE), is_final=is_final
        )


async def started(**languages: tuple[str, ...]) -> Rig:
    rig = Rig({"*": ("first", "second")}, **languages)
    await rig.begin()
    return rig


async def rig_listen(rig: Rig) -> None:
    rig.routed.listen(
        call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
        hints=Hints(language_codes=("vi",)), report=rig.reports.append,
    )  # fmt: skip
