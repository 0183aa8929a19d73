"""A change of engines in mid-call, word by word: none is lost, and none comes twice."""

import asyncio
from collections.abc import Callable
from dataclasses import fields

import grpc
import pytest

from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.stt_proxy.engine import (
    Hints,
    Lost,
)
from services.stt_proxy.engines.google import GoogleEngine
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.routing import POLICY, RoutedEngine
from services.stt_proxy.settings import SttSettings
from tests.fakes.google_speech import Faults, GoogleSpeech, Levels, google_speech

from .followed_line import CALL_MS, MS, RATE, SENTENCES, WORDS, Line, Reading

WHOLE = " ".join(WORDS)


class ReadingEngine(Reading):
    """An engine that follows the sound."""

    name = model = "reading"
    language_codes: tuple[str, ...] = ()
    features = ("partial",)

    async def load(self) -> None:
        """Nothing to load."""

    def listen(self, **how: object) -> FollowedCall:
        return FollowedCall(self, **how)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Nothing is held."""


class ChainLine(Line):
    """The ten sentences on a chain."""

    def __init__(self, routed: RoutedEngine) -> None:
        super().__init__()
        self.engine_call = routed.listen(  # type: ignore[assignment]
            call_id="test", recording=self.recording, sample_rate_hertz=RATE,
            hints=Hints(language_codes=("en",)), report=self.reports.append,
        )  # fmt: skip
        self.pace_s = 0.0

    async def settle(self) -> None:
        await super().settle()
        if self.pace_s:
            await asyncio.sleep(self.pace_s)

    def ended(self) -> bool:
        return bool(self.told(Lost))


def chain_of(first: object, second: object) -> RoutedEngine:
    engines = {"first": first, "second": second}
    return RoutedEngine({"*": ("first", "second")}, engines, ProviderBoard(StageMetrics("stt"), POLICY))  # type: ignore[arg-type]


@pytest.mark.parametrize("first_ms", range(0, 1000, 100))
async def test_an_engine_lost_at_every_100_ms_loses_and_doubles_no_word(first_ms: int):
    for break_ms in range(first_ms + 100, CALL_MS, 1000):
        first, second = ReadingEngine(), ReadingEngine()
        first.break_at = break_ms * MS
        first.fault = streams.Broken("PERMISSION_DENIED", "the key was withdrawn", is_retryable=False)
        routed = chain_of(first, second)
        await routed.load()
        line = ChainLine(routed)
        await line.play(0, len(line.sound))
        assert await line.end() == WHOLE, f"broken at {break_ms} ms"
        assert not line.told(Lost)
        assert first.break_at is not None or second.opened


async def test_utterance_by_utterance_no_word_is_lost_or_doubled_by_a_loss():
    for break_ms in range(700, CALL_MS, 700):
        first, second = ReadingEngine(), ReadingEngine()
        first.break_at = break_ms * MS
        first.fault = streams.Broken("PERMISSION_DENIED", "the key was withdrawn", is_retryable=False)
        routed = chain_of(first, second)
        await routed.load()
        line = ChainLine(routed)
        at, requests = 0, []
        for number, span in enumerate(line.spans):
            end = span.end_sample + 200 * MS
            end -= end % (100 * MS)
            await line.play(at, end, number + 1)
            requests.append(line.ask([span], number + 1, is_final=True))
            line.engine_call.end(number + 1, end)
            at = end
        async with asyncio.timeout(5):
            while any(line.answer(request) is None for request in requests):
                await asyncio.sleep(0.002)
        told = [line.answer(request).text for request in requests]
        assert told == [" ".join(sentence) for sentence in SENTENCES], f"broken at {break_ms} ms"
        line.engine_call.close()


def google_of(google: GoogleSpeech) -> GoogleEngine:
    return GoogleEngine(
        SttSettings(
            _env_file=None, engine="google", google_project="test", google_endpoint=google.target,
            google_is_plaintext=True, google_stall_s=0.6, google_start_limit_s=2.0,
        )
    )  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize("sentence", [0, 8])
async def test_google_killed_in_mid_utterance_loses_and_doubles_no_word(sentence: int):
    await lose_google(sentence, lambda google: google.kill())


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=grpc.StatusCode.RESOURCE_EXHAUSTED, status_after_s=0.1, n_statuses=99, retry_after_s=30.0),
        Faults(status=grpc.StatusCode.PERMISSION_DENIED, status_after_s=0.1, n_statuses=99),
        Faults(stalls_after_s=0.1, n_stalls=99),
    ],
    ids=["quota", "key withdrawn", "stall"],
)
async def test_a_google_that_does_not_recover_loses_and_doubles_no_word(faults: Faults):
    async def spoil(google: GoogleSpeech) -> None:
        for one in fields(Faults):  # the streams that are open keep the object
            setattr(google.faults, one.name, getattr(faults, one.name))

    await lose_google(0, spoil)


async def lose_google(sentence: int, spoil: Callable[[GoogleSpeech], object]) -> None:
    """Google is spoilt in the middle of a sentence and stays so; the call is heard whole by the second engine."""
    async with google_speech(Levels(WORDS)) as google:
        first, second = google_of(google), ReadingEngine()
        routed = chain_of(first, second)
        await routed.load()
        google.opened.clear()
        line = ChainLine(routed)
        line.pace_s = 0.02
        span = line.spans[sentence]
        middle = (span.start_sample + span.end_sample) // 2
        middle -= middle % (100 * MS)
        await line.play(0, middle)
        assert google.opened
        await spoil(google)  # type: ignore[misc]
        line.pace_s = 0.1  # in real time from here on: a stall is a matter of the clock
        await line.play(middle, min(middle + 2000 * MS, len(line.sound) - len(line.sound) % (100 * MS)))
        line.pace_s = 0.02
        await line.play(min(middle + 2000 * MS, len(line.sound) - len(line.sound) % (100 * MS)), len(line.sound))
        try:
            assert await line.end(limit_s=20.0) == WHOLE
            assert second.opened
            assert not line.told(Lost)
            assert routed.board.describe()[0].switches >= 1
        finally:
            line.engine_call.close()
            await routed.close()
