"""Routing of calls to engines by language, with failover within a chain.

The call's language is the first that the client named until an utterance shows another one (language_choice.py). Each
utterance begins with the first engine of its language's chain that does well. An engine that is lost is followed by the
next one at once, within the utterance: that one recognises everything behind the last settled utterance again, from the
replay ring, so that no word is lost and none comes twice. So does the engine of another language.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from services.runtime.breaker import BreakerPolicy
from services.runtime.engine_chains import ANY, Chains
from services.runtime.errors import StartupError
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.stt_proxy.engine import (
    EngineCall,
    Hints,
    Report,
    SttEngine,
)
from services.stt_proxy.following.stream import StreamLimits
from services.stt_proxy.recording import Recording
from services.stt_proxy.routed_call import RoutedCall
from services.stt_proxy.routed_members import LanguageDetector, Member, language_of

LOAD_WAIT_S = 10.0  # for the others, once each chain has an engine that serves
LOADING_S = 3600.0  # DescribeEngine says that it rests so long, or until it has loaded
STAND_IN_TRIES = 1  # of an engine that another one stands in for
STAND_IN_WAIT_S = 0.3
POLICY = BreakerPolicy(least_failures=1, failure_rate=0.1)
"""A lost engine has been tried more than once already."""

log = get_logger(__name__)


def make_routed(chains: Chains, engines: Mapping[str, SttEngine]) -> "RoutedEngine":
    """`engines` by the names that the chains use, not yet loaded."""
    return RoutedEngine(chains, engines, ProviderBoard(StageMetrics("stt"), POLICY))


class RoutedEngine:
    """Several engines as one."""

    def __init__(self, chains: Chains, engines: Mapping[str, SttEngine], board: ProviderBoard) -> None:
        self._chains = {language_of(language): chain for language, chain in chains.items()}
        self.board = board
        self._members = {name: Member(engine, board.add(name, engine.model)) for name, engine in engines.items()}
        for name in dict.fromkeys(name for chain in self._chains.values() for name in chain[:-1]):
            _hurry(engines[name])
        self._loading: set[asyncio.Task[None]] = set()
        self.name = "+".join(dict.fromkeys(">".join(chain) for chain in self._chains.values()))
        self.model = "+".join(engine.model for engine in engines.values())
        self.language_codes: tuple[str, ...] = ()
        self.features = tuple(dict.fromkeys(feature for engine in engines.values() for feature in engine.features))

    async def load(self) -> None:
        """One engine that serves is enough for each chain: others may come later, or never."""
        for member in self._members.values():
            member.provider.breaker.trip(now=member.provider.clock(), seconds=LOADING_S, cause="it is loading")
        self._loading = {asyncio.create_task(self._load(member)) for member in self._members.values()}
        pending = self._loading
        while pending and not self._serves():
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if not self._serves():
            failures = [member.failure for member in self._members.values() if member.failure is not None]
            raise next((one for one in failures if isinstance(one, StartupError)), failures[0])
        if pending:
            _, self._loading = await asyncio.wait(pending, timeout=LOAD_WAIT_S)
        self.language_codes = self._languages()

    def members_for(self, language: str) -> list[Member]:
        """Return the engines that understand a language, in the order they are tried: the language's own chain
        first.
        """
        names = dict.fromkeys((*self._chains.get(language, ()), *self._chains.get(ANY, ())))
        found = [self._members[name] for name in names]
        return [one for one in found if _speaks(one.engine, language)] or found

    @property
    def detector(self) -> LanguageDetector | None:
        """The engine that tells languages apart, if there is one."""
        loaded = (member.engine for member in self._members.values() if member.is_loaded)
        return next((one for one in loaded if isinstance(one, LanguageDetector)), None)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> RoutedCall:
        def open_engine_call(engine: SttEngine, hints: Hints, report: Callable[[Report], None]) -> EngineCall:
            return engine.listen(
                call_id=call_id,
                recording=recording,
                sample_rate_hertz=sample_rate_hertz,
                hints=hints,
                report=report,
            )

        return RoutedCall(self, open_engine_call, hints, report, sample_rate_hertz=sample_rate_hertz)

    async def close(self) -> None:
        for task in self._loading:
            task.cancel()
        for member in self._members.values():
            await member.engine.close()

    async def _load(self, member: Member) -> None:
        try:
            await member.engine.load()
        except Exception as error:
            log.exception("provider_lost", provider=member.provider.name, why=str(error))
            member.failure = error
            member.provider.lose(str(error) or type(error).__name__)
            return
        member.provider.breaker.reset()
        member.is_loaded = True

    def _serves(self) -> bool:
        return all(any(self._members[name].is_loaded for name in chain) for chain in self._chains.values())

    def _languages(self) -> tuple[str, ...]:
        others = [self._members[name].engine.language_codes for name in self._chains.get(ANY, ())]
        if not all(others):
            return ()  # an engine takes every language
        own = [language for language in self._chains if language != ANY]
        return tuple(dict.fromkeys((*own, *(code for codes in others for code in codes))))


def _speaks(engine: SttEngine, language: str) -> bool:
    return not engine.language_codes or language in {language_of(code) for code in engine.language_codes}


def _hurry(engine: SttEngine) -> None:
    """Shorten the tries of an engine for which another one stands in."""
    limits = getattr(engine, "limits", None)
    if isinstance(limits, StreamLimits):
        vars(engine)["limits"] = replace(limits, most_tries=STAND_IN_TRIES, longest_wait_s=STAND_IN_WAIT_S)
