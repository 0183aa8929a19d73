"""Choice of the engine that hears a call, and change to another in mid-call without a word lost or doubled."""

import asyncio
from collections.abc import Callable
from dataclasses import fields

import grpc
import numpy as np
import pytest
from voice.type.v1 import engine_pb2

from services.runtime.breaker import BreakerState
from services.runtime.errors import StartupError
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.stt_proxy import routing
from services.stt_proxy.engine import (
    Corrected,
    Heard,
    Hints,
    Lost,
    Partial,
    Report,
    Span,
    Speech,
    Unheard,
    make_engine,
)
from services.stt_proxy.engines.google import GoogleEngine
from services.stt_proxy.errors import EngineLost
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.call import FollowedCall
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.routed_call import RoutedCall
from services.stt_proxy.routing import POLICY, RoutedEngine
from services.stt_proxy.settings import SttSettings
from tests.fakes.google_speech import Faults, GoogleSpeech, Levels, google_speech

from .rig import DictationCall, DictationEngine
from .test_following import CALL_MS, MS, RATE, SENTENCES, WORDS, Line, Reading

WHOLE = " ".join(WORDS)
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


# -- which engines there are -------------------------------------------------------------------------------------------


def test_the_setting_names_chains():
    settings = SttSettings(_env_file=None, engines="vi = google>faster_whisper , *=faster_whisper")
    assert settings.engines == {"vi": ("google", "faster_whisper"), "*": ("faster_whisper",)}


@pytest.mark.parametrize("value", ["vi", "vi=", "=google", "vi=google>", "vi=google>google", "vi=google,VI=script"])
def test_a_setting_that_cannot_be_read_says_what_to_write(value: str):
    with pytest.raises(ValueError, match=r"engine|chain"):
        SttSettings(_env_file=None, engines=value)


def test_one_engine_for_all_languages_needs_no_routing():
    assert make_engine(SttSettings(_env_file=None, engines="vi=script,*=script")).name == "script"
    chained = make_engine(SttSettings(_env_file=None, engines="*=google>script", google_project="test"))
    assert chained.name == "google>script"


def test_an_engine_that_is_not_known_is_named():
    with pytest.raises(StartupError, match="STT_ENGINES"):
        make_engine(SttSettings(_env_file=None, engines="*=script>telepathy"))


async def test_a_language_has_its_own_chain_and_then_that_of_all():
    rig = Rig({"vi-VN": ("a", "b"), "*": ("c", "d")}, d=("en",))
    await rig.routed.load()
    assert [one.engine.name for one in rig.routed.members_for("vi")] == ["a", "b", "c"]
    assert [one.engine.name for one in rig.routed.members_for("en")] == ["c", "d"]
    assert rig.routed.language_codes == ()


async def test_its_languages_are_those_that_are_named_and_those_of_the_chain_for_all():
    rig = Rig({"vi": ("a",), "*": ("b", "c")}, b=("en",), c=("en", "ru"))
    await rig.routed.load()
    assert rig.routed.language_codes == ("vi", "en", "ru")


async def test_an_engine_that_does_not_load_is_lost_and_the_others_serve():
    rig = Rig({"*": ("first", "second")})
    rig.engines["first"].fault = StartupError("the model is not there")
    await rig.begin()
    assert [len(rig.engine_calls(name)) for name in ("first", "second")] == [0, 1]
    first, second = rig.board.describe()
    assert (first.state, first.cause) == (engine_pb2.Provider.STATE_LOST, "the model is not there")
    assert second.state == engine_pb2.Provider.STATE_CLOSED


async def test_a_chain_without_an_engine_that_loads_does_not_start():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    rig.engines["first"].fault = StartupError("the model is not there")
    with pytest.raises(StartupError, match="not there"):
        await rig.routed.load()


async def test_an_engine_that_loads_for_long_is_not_waited_for_and_serves_when_it_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routing, "LOAD_WAIT_S", 0.01)
    rig = Rig({"*": ("first", "second")})
    rig.engines["first"].may_load.clear()
    await rig.begin()
    assert rig.board.describe()[0].cause == "it is loading"
    rig.say(1, 1000, 2000)
    assert len(rig.engine_calls("first")) == 0
    rig.engines["first"].may_load.set()
    await asyncio.sleep(0.01)
    rig.engine_call.end(1, 3000)
    rig.say(2, 4000, 5000)
    assert len(rig.engine_calls("first")) == 1
    await rig.routed.close()


async def test_a_call_that_no_engine_can_take_is_refused():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.routed.load()
    for member in rig.routed.members_for("vi"):
        member.is_loaded = False
    with pytest.raises(EngineLost, match="vi"):
        await asyncio.wait_for(rig_listen(rig), 1)


async def rig_listen(rig: Rig) -> None:
    rig.routed.listen(
        call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
        hints=Hints(language_codes=("vi",)), report=rig.reports.append,
    )  # fmt: skip


# -- how one takes over ------------------------------------------------------------------------------------------------


async def test_a_lost_engine_is_followed_within_the_utterance():
    rig = await started()
    rig.say(1, 1000, 3000)
    rig.ask(1, 1, 1000, 3000, is_final=False)
    rig.engine_call.reach(3500)
    rig.engine_calls("first")[0].report(Unheard(1, "ENGINE_LOST", "gone"))
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.edges == [(1, 1000, True), (1, 3000, False)]
    assert [speech.request_id for speech, _ in second.asked] == [1]
    second.answer("I would like to")
    assert [one.text for one in rig.reports if isinstance(one, Heard)] == ["I would like to"]
    assert not any(isinstance(one, Lost | Unheard) for one in rig.reports)
    assert rig.board.describe()[0].switches == 1


async def test_what_is_owed_of_earlier_utterances_is_heard_again_too():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    rig.ask(2, 2, 3000, 4000)
    rig.engine_call.end(2, 4500)
    rig.say(3, 5000, None)
    rig.engine_calls("first")[0].report(Heard(1, "one", "en"))
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.ended == [(1, 2500), (2, 4500)]
    assert second.edges == [(2, 3000, True), (2, 4000, False), (3, 5000, True)]
    assert [speech.request_id for speech, _ in second.asked] == [2]


async def test_speech_that_went_on_through_an_end_is_divided_for_the_next_engine_as_well():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_call.reach(4000)
    rig.ask(1, 1, 1000, 3000)
    rig.engine_call.end(1, 3000)
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.edges == [(1, 1000, True), (1, 3000, False), (2, 3000, True)]
    assert second.ended == [(1, 3000)]


async def test_discarded_sound_is_forgotten_by_the_next_engine():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.engine_call.forget(1200, 1400)
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.engine_calls("second")[0].forgotten == [(1200, 1400)]


async def test_after_the_last_sound_the_next_engine_is_told_that_no_more_comes():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.finish()
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.engine_calls("second")[0].is_finished


async def test_an_engine_that_fails_at_a_speech_hands_it_over():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].refuse("DECODING_FAILED")
    rig.engine_calls("second")[0].answer("yes")
    assert [type(one) for one in rig.reports] == [Heard]


@pytest.mark.parametrize("reason", ["SUPERSEDED", "OVERLOADED"])
async def test_a_draft_that_is_not_worth_its_cost_hands_nothing_over(reason: str):
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000, is_final=False)
    rig.engine_calls("first")[0].refuse(reason)
    assert [type(one) for one in rig.reports] == [Unheard]
    assert rig.engine_calls("second") == []


async def test_when_the_last_engine_is_lost_the_call_is():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(BROKEN)
    last = Lost(700, "ENGINE_FAILED", "the library crashed", is_retryable=True)
    rig.engine_calls("second")[0].report(last)
    assert rig.reports == [last]


async def test_the_call_goes_back_at_an_utterances_border_when_the_first_engine_has_rested():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(BROKEN)
    rig.engine_call.speech(1, 2000, is_begin=False)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("second")[0].answer("one")
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert len(rig.engine_calls("first")) == 1, "it rests"
    rig.ask(2, 2, 3000, 4000)
    rig.clock.now += POLICY.rest_s
    rig.engine_call.end(2, 4500)
    rig.say(3, 5000, 6000)
    assert len(rig.engine_calls("first")) == 1, "words are owed"
    rig.engine_calls("second")[0].answer("two")
    rig.engine_call.end(3, 6500)
    rig.say(4, 7000, 8000)
    again = rig.engine_calls("first")[1]
    assert again.edges == [(4, 7000, True), (4, 8000, False)]
    assert again.ended == [(3, 6500)], "sound before it belongs to the utterance before"
    rig.ask(4, 4, 7000, 8000)
    again.answer("four")
    assert [one.text for one in rig.reports if isinstance(one, Heard)] == ["one", "two", "four"]


async def test_a_drill_takes_an_engine_out_at_the_next_utterance():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert rig.engine_calls("second")[0].edges == [(2, 3000, True), (2, 4000, False)]


async def test_where_all_rest_the_first_is_better_than_none():
    rig = await started()
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.board.trip("second", 30_000, is_allowed=True)
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    assert [type(one) for one in rig.reports] == [Heard]


async def test_an_engine_that_refuses_the_call_is_not_asked_again_and_says_nothing_of_the_provider():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(
        Lost(0, "INVALID_ARGUMENT", "no such language in this model", is_retryable=False)
    )
    rig.engine_call.speech(1, 2000, is_begin=False)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert len(rig.engine_calls("first")) == 1
    assert rig.board["first"].breaker.state is BreakerState.CLOSED


async def test_late_words_of_the_engine_before_correct_only_what_it_heard():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    for report in (Corrected(1, "One.", "en"), Corrected(2, "strange", "en"), Partial("strange", 3500, "en")):
        rig.engine_calls("first")[0].report(report)
    assert [one.text for one in rig.reports if isinstance(one, Corrected | Partial)] == ["One."]


async def test_another_language_of_the_client_brings_its_engine():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.begin("en-US", "vi-VN")
    rig.say(1, 1000, None)
    rig.engine_call.attend(Hints(language_codes=("vi-VN",)))
    assert rig.engine_calls("first")[0].edges == [(1, 1000, True)]
    assert rig.engine_calls("first")[0].hints[-1].language_codes == ("vi-VN",)


async def test_a_closed_call_reports_nothing_and_gives_its_leave_back():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.engine_call.close()
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.reports == []
    assert rig.engine_calls("second") == []


async def test_a_language_that_is_left_gives_its_probe_back():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.begin("en-US", "vi-VN")
    rig.board.trip("second", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en-US", "vi-VN")
    rig.say(1, 1000, None)
    assert rig.board["second"].admit() is None, "the call probes it"
    rig.engine_call.attend(Hints(language_codes=("vi-VN",)))
    assert rig.board["second"].admit() is not None, "it could not be probed until the call ends"


async def test_a_silent_caller_keeps_no_probe():
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en")
    silent = rig.engine_call
    rig.listen("en")
    rig.say(1, 1000, 2000)
    assert rig.board["first"].admit() is None, "the call that speaks probes it"
    rig.engine_call.forget(1000, 2000)
    rig.engine_call.end(1, 3000)
    assert rig.board["first"].admit() is not None, "what it said was noise"
    silent.close()


@pytest.mark.parametrize("is_late", [False, True])
async def test_an_utterance_whose_words_do_not_come_keeps_no_probe(is_late: bool):
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en")
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.end(1, 3000)
    assert rig.board["first"].admit() is None, "its words are awaited"
    if is_late:
        rig.engine_call.cancel(1)
    else:
        rig.engine_calls("first")[-1].refuse("OVERLOADED")
    assert rig.board["first"].admit() is not None, "the caller may be silent for long"


async def test_an_engine_that_cannot_listen_keeps_no_probe(monkeypatch: pytest.MonkeyPatch):
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2

    def listen(**how: object) -> DictationCall:
        raise RuntimeError("broken")

    monkeypatch.setattr(rig.engines["first"], "listen", listen)
    with pytest.raises(RuntimeError):
        rig.listen("en")
    assert rig.board["first"].admit() is not None, "it could not be probed any more"


# -- the words themselves ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("name", "extra"), [("viet_asr", "viet-asr"), ("vosk", "vosk"), ("sherpa_onnx", "sherpa")])
def test_an_engine_whose_package_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setattr("services.stt_proxy.engine.find_spec", lambda package: None)
    settings = SttSettings(engine=name)
    with pytest.raises(StartupError, match=rf"needs the package \w+: pip install 'tong-dai\[stt-{extra}\]'"):
        make_engine(settings)
