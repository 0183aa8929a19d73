"""Engine `google` against a local server that speaks Google's protocol, with its faults."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from services.runtime.errors import StartupError
from services.runtime.log_fields import is_allowed
from services.stt_proxy.engine import Corrected, Heard, Hints, Lost, Partial
from services.stt_proxy.engines.google import GoogleEngine, google_tag
from services.stt_proxy.settings import SttSettings
from tests.fakes.google_speech import Faults, GoogleSpeech, Levels, google_speech, half_open

from .followed_line import MS, RATE, SENTENCES, WORDS, Line

pytestmark = pytest.mark.timeout(120)
READER = Levels(WORDS)
WHOLE = " ".join(WORDS)


def settings(target: str, **change: object) -> SttSettings:
    known = {
        "engine": "google", "google_project": "test", "google_endpoint": target, "google_is_plaintext": True,
        "google_stall_s": 1.0, "google_start_limit_s": 2.0,
    }  # fmt: skip
    return SttSettings(_env_file=None, **{**known, **change})


@asynccontextmanager
async def engine_on(target: str, **change: object) -> AsyncIterator[GoogleEngine]:
    engine = GoogleEngine(settings(target, **change))
    await engine.load()
    try:
        yield engine
    finally:
        await engine.close()


class GoogleLine(Line):
    """A call on the engine. Sound comes as fast as Google takes it."""

    def __init__(self, engine: GoogleEngine) -> None:
        super().__init__(engine)  # type: ignore[arg-type]
        self.pace_s = 0.0

    async def settle(self) -> None:
        await asyncio.sleep(self.pace_s)
        for _ in range(2000):
            if (
                self.engine_call.listened_to or self.engine_call._state.now
            ) >= self.engine_call._state.now - 300 * MS or self.engine_call._lost:
                return
            await asyncio.sleep(0.002)

    async def until_ended(self, utterance_id: int) -> None:
        """The last words may come behind the answer, as a correction, where Google or the machine is slow."""
        while not all(hearing.stretch.is_ended for hearing in self.engine_call._state.of(utterance_id)):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def line_on(faults: Faults | None = None, **change: object) -> AsyncIterator[tuple[GoogleLine, GoogleSpeech]]:
    async with google_speech(READER) as google, engine_on(google.target, **change) as engine:
        google.opened.clear()
        google.sent.clear()
        google.faults = faults or Faults()
        line = GoogleLine(engine)
        yield line, google
        line.engine_call.close()
        await asyncio.sleep(0.01)


async def whole(faults: Faults | None = None, pace_s: float = 0.0, **change: object) -> tuple[str, GoogleSpeech]:
    async with line_on(faults, **change) as (line, google):
        line.pace_s = pace_s
        await line.play(0, len(line.sound))
        return await line.end(limit_s=20.0), google


async def test_a_call_is_heard_whole():
    text, google = await whole()
    assert text == WHOLE
    assert len(google.opened) == 1


async def test_sound_is_sent_in_messages_of_100_ms_and_at_once_at_a_pause():
    async with line_on() as (line, google):
        google.messages.clear()
        line.pace_s = 0.001
        first = line.spans[0]
        await line.play(0, first.end_sample + 100 * MS)
        async with asyncio.timeout(2):
            while not line.told(Heard):
                await asyncio.sleep(0.005)
        sent_ms = sum(google.messages) / MS
    assert min(google.messages[:-1]) >= 100 * MS
    assert max(google.messages) < 200 * MS
    assert sent_ms >= (first.end_sample - first.start_sample) / MS + 80, "the pause is sent as far as it was seen"


async def test_sound_that_is_not_followed_by_more_does_not_wait_for_ever():
    async with line_on() as (line, google):
        google.messages.clear()
        await line.play(0, line.spans[0].start_sample + 360 * MS)
        unsent = line.engine_call._state.now - line.spans[0].start_sample
        async with asyncio.timeout(2):
            while sum(google.messages) < unsent:
                await asyncio.sleep(0.005)


async def test_what_google_is_asked_for():
    async with google_speech(READER) as google, engine_on(google.target, google_model="telephony") as engine:
        line = GoogleLine(engine)
        line.engine_call.attend(Hints(language_codes=("vi-VN", "zh-CN"), phrases=("implant",)))
        await line.play(0, line.spans[0].end_sample)
        [asked] = google.opened[-1:]
        line.engine_call.close()
    assert asked.recognizer == "projects/test/locations/global/recognizers/_"
    config, features = asked.streaming_config.config, asked.streaming_config.streaming_features
    assert list(config.language_codes) == ["vi-VN", "cmn-Hans-CN"]
    assert (config.model, config.explicit_decoding_config.sample_rate_hertz) == ("telephony", RATE)
    assert config.adaptation.phrase_sets[0].inline_phrase_set.phrases[0].value == "implant"
    assert config.features.enable_automatic_punctuation
    assert config.features.enable_word_time_offsets
    assert features.interim_results
    assert features.enable_voice_activity_events


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("vi", "vi-VN"),
        ("en", "en-US"),
        ("en-GB", "en-GB"),
        ("ru", "ru-RU"),
        ("zh-CN", "cmn-Hans-CN"),
        ("zh", "cmn-Hans-CN"),
    ],
)
def test_languages_as_google_writes_them(code: str, tag: str):
    assert google_tag(code) == tag


async def test_a_draft_is_made_of_interims_and_the_final_result_corrects_it():
    async with line_on(Faults(final_delay_s=0.5)) as (line, google):
        await line.play(0, line.spans[0].end_sample + 100 * MS)
        async with asyncio.timeout(2):
            while not line.told(Heard):
                await asyncio.sleep(0.005)
        assert line.told(Heard)[0].text == " ".join(SENTENCES[0])
        assert not any(is_final for _, _, is_final in google.sent)
        assert line.told(Partial)[0].confidence is None, "Google says how stable an interim is, not how likely"


async def test_a_late_final_that_says_the_same_corrects_nothing():
    async with line_on(Faults(final_delay_s=0.3)) as (line, google):
        await line.play(0, line.spans[0].end_sample + 200 * MS)
        await asyncio.sleep(0.2)
        line.engine_call.end(1, line.spans[0].end_sample + 200 * MS)
        n_before = len(line.told(Corrected))
        async with asyncio.timeout(5):
            while not any(is_final for _, _, is_final in google.sent):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert line.told(Corrected)[n_before:] == []


STATUSES = [
    grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.OUT_OF_RANGE,
]  # fmt: skip


async def test_finals_that_come_one_by_one_long_behind_the_end_are_all_taken():
    text, _ = await whole(Faults(final_delay_s=0.4), google_stall_s=1.0)
    assert text == WHOLE


async def test_streams_that_break_and_finals_that_are_late_lose_nothing_together():
    faults = Faults(status=grpc.StatusCode.ABORTED, status_after_s=1.3, n_statuses=3, final_delay_s=0.4)
    text, google = await whole(faults)
    assert text == WHOLE
    assert len(google.opened) == 4


@pytest.mark.parametrize("status", STATUSES, ids=[status.name for status in STATUSES])
async def test_a_stream_that_breaks_is_replaced_without_a_word_lost_or_doubled(status: grpc.StatusCode):
    async def broken(after_s: float) -> None:
        text, google = await whole(Faults(status=status, status_after_s=after_s, retry_after_s=0.05))
        assert text == WHOLE, f"{status.name} after {after_s} s"
        assert len(google.opened) == 2

    async with asyncio.TaskGroup() as tasks:
        for after_s in (0.0, 0.7, 1.9, 3.3, 6.1):
            tasks.create_task(broken(after_s))


async def test_the_providers_limit_ends_streams_and_no_words():
    text, google = await whole(Faults(limit_s=5.0))
    assert text == WHOLE
    assert len(google.opened) >= 4


async def test_streams_roll_over_before_the_limit_at_a_pause():
    text, google = await whole(Faults(limit_s=6.0), google_roll_over_s=3.0, google_stream_limit_s=5.5)
    assert text == WHOLE
    assert len(google.opened) >= 5


@pytest.mark.parametrize("after_s", [0.1, 2.5])
async def test_a_stall_is_noticed_and_heard_again(after_s: float):
    text, google = await whole(Faults(stalls_after_s=after_s), pace_s=0.01)
    assert text == WHOLE
    assert len(google.opened) == 2


async def test_a_half_open_connection_is_replaced():
    async with (
        google_speech(READER) as google,
        half_open(google.target) as (target, falls_silent),
        engine_on(target) as engine,
    ):
        line = GoogleLine(engine)
        falls_silent.set()
        await line.play(0, len(line.sound))
        assert await line.end(limit_s=20.0) == WHOLE


@pytest.mark.parametrize(
    "place",
    [lambda s: 0.0, lambda s: s + 3600, lambda s: s - 0.05, lambda s: s + 0.05],
    ids=["none", "an hour ahead", "50 ms early", "50 ms late"],
)
async def test_wrong_offsets_lose_no_words(place: Callable[[float], float]):
    text, _ = await whole(Faults(place=place))
    assert text == WHOLE


@pytest.mark.parametrize("limit_s", [3.0, 4.0, 5.0])
@pytest.mark.parametrize(("delay_s", "pace_s"), [(0.0, 0.0), (0.1, 0.01)], ids=["finals at once", "finals late"])
async def test_words_without_offsets_are_neither_lost_nor_doubled_by_the_providers_limit(
    limit_s: float, delay_s: float, pace_s: float
):
    text, google = await whole(Faults(place=lambda _: 0.0, limit_s=limit_s, final_delay_s=delay_s), pace_s=pace_s)
    assert text == WHOLE
    assert len(google.opened) >= 4


async def test_results_out_of_order_are_put_in_order():
    text, _ = await whole(Faults(is_out_of_order=True))
    assert text == WHOLE


async def test_a_refusal_in_mid_call_loses_the_engine_at_once():
    faults = Faults(status=grpc.StatusCode.PERMISSION_DENIED, status_after_s=2.0, n_statuses=99)
    async with line_on(faults) as (line, _):
        await line.play(0, line.spans[2].end_sample)
        async with asyncio.timeout(5):
            while not line.told(Lost):
                await asyncio.sleep(0.02)
        [lost] = line.told(Lost)
    assert (lost.reason, lost.is_retryable) == ("PERMISSION_DENIED", False)


async def test_a_quota_that_stays_exhausted_loses_the_engine_with_its_delay():
    faults = Faults(status=grpc.StatusCode.RESOURCE_EXHAUSTED, status_after_s=0.05, n_statuses=99, retry_after_s=0.1)
    async with line_on(faults) as (line, _):
        await line.play(0, line.spans[0].end_sample)
        async with asyncio.timeout(10):
            while not line.told(Lost):
                await asyncio.sleep(0.05)
        [lost] = line.told(Lost)
    assert (lost.reason, lost.is_retryable, lost.retry_after_s) == ("RESOURCE_EXHAUSTED", True, 0.1)


async def test_with_wrong_credentials_it_is_not_ready_and_does_not_end():
    async with google_speech(READER, Faults(status=grpc.StatusCode.PERMISSION_DENIED, n_statuses=2)) as google:
        engine = GoogleEngine(settings(google.target, google_start_limit_s=0.3))
        loading = asyncio.create_task(engine.load())
        await asyncio.sleep(0.2)
        assert not loading.done()
        async with asyncio.timeout(5):
            await loading  # the role was granted
        await engine.close()


async def test_google_away_does_not_keep_the_service_from_starting():
    async with engine_on("127.0.0.1:1"):
        pass


async def test_without_a_project_it_does_not_start():
    with pytest.raises(StartupError, match="STT_GOOGLE_PROJECT"):
        await GoogleEngine(SttSettings(_env_file=None, engine="google")).load()


async def test_credentials_that_cannot_be_used_are_named_where_nothing_personal_is_shown(monkeypatch, tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text(
        '{"type": "service_account", "private_key": "none", "client_email": "a@b.c", "token_uri": "http://x"}'
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    engine = GoogleEngine(SttSettings(_env_file=None, google_project="here"))
    refusal = await engine._refusal()
    assert refusal is not None
    assert is_allowed("reason", refusal[0])
    assert refusal[0] == "NO_USABLE_CREDENTIALS"
