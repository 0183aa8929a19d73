import pytest
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2, expectation_pb2, turn_pb2

from services.runtime.errors import RequestError
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.engine import ExpectedKind, Hints, Segment
from services.stt_proxy.errors import UnknownRegion
from services.stt_proxy.events import Cost, Keyword, TextStage, Transcript, UtteranceSettled
from services.stt_proxy.intake import IdleReason
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.wire import read_config, read_idle_reason, read_update, write_engine, write_evidence

from .rig import DictationEngine

SETTINGS = SttSettings(_env_file=None)


def config(**fields: object) -> stt_pb2.RecognitionConfig:
    return stt_pb2.RecognitionConfig(
        **{
            "audio_format": audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000),
            **fields,
        }
    )


def read(message: stt_pb2.RecognitionConfig) -> CallProfile:
    return read_config(message, call_id="test", settings=SETTINGS, engine=DictationEngine())


def audio_format(encoding: int, rate: int) -> dict[str, audio_pb2.AudioFormat]:
    return {"audio_format": audio_pb2.AudioFormat(encoding=encoding, sample_rate_hertz=rate)}


@pytest.mark.parametrize(
    ("fields", "reason", "at"),
    [
        (audio_format(0, 8000), "UNKNOWN_ENCODING", "config.audio_format.encoding"),
        (audio_format(99, 8000), "UNKNOWN_ENCODING", "config.audio_format.encoding"),
        (audio_format(1, 11025), "UNKNOWN_SAMPLE_RATE", "config.audio_format.sample_rate_hertz"),
        (audio_format(1, 0), "UNKNOWN_SAMPLE_RATE", "config.audio_format.sample_rate_hertz"),
        (audio_format(2, 16000), "UNKNOWN_SAMPLE_RATE", "config.audio_format.sample_rate_hertz"),
        ({"language_codes": ["en", "tlh"]}, "UNKNOWN_LANGUAGE", "config.language_codes"),
        ({"language_codes": [""]}, "UNKNOWN_LANGUAGE", "config.language_codes"),
        ({"start_sample": -1}, "BAD_SAMPLE", "config.start_sample"),
        (
            {"endpointing": stt_pb2.EndpointingConfig(draft_pause_ms=-1)},
            "BAD_ENDPOINTING",
            "config.endpointing.draft_pause_ms",
        ),
        (
            {"endpointing": stt_pb2.EndpointingConfig(max_drafts=1000)},
            "BAD_ENDPOINTING",
            "config.endpointing.max_drafts",
        ),
    ],
)
def test_what_is_wrong_in_the_config_is_named(fields, reason, at):
    with pytest.raises(RequestError) as refused:
        read(config(**fields))
    assert (refused.value.reason, refused.value.field) == (reason, at)
    assert at in refused.value.message


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_linear16_is_taken_at_every_rate(rate):
    assert read(config(**audio_format(1, rate))).audio_format.sample_rate_hertz == rate


def test_endpointing_that_is_not_given_is_the_server_s():
    profile = read(config())
    assert profile.draft_pause_ms == 64
    assert profile.endpointing.waits.complete_ms == 224
    assert profile.endpointing.waits.unfinished_ms == 1200
    assert profile.endpointing.max_drafts == 4


def test_endpointing_that_is_given_holds_for_the_stream():
    given = stt_pb2.EndpointingConfig(
        draft_pause_ms=160, complete_wait_ms=400, unfinished_wait_ms=2000, max_drafts=1, max_draft_speech_ms=5000
    )
    profile = read(config(endpointing=given))
    assert profile.draft_pause_ms == 160
    assert (profile.endpointing.waits.complete_ms, profile.endpointing.waits.unfinished_ms) == (400, 2000)
    assert (profile.endpointing.max_drafts, profile.endpointing.max_draft_speech_ms) == (1, 5000)


def test_a_regional_tag_of_a_known_language_is_taken():
    assert read(config(language_codes=["vi-VN", "en-US"])).hints.language_codes == ("vi-VN", "en-US")


def test_an_update_changes_only_what_it_sets():
    update = read_update(stt_pb2.RecognitionUpdate(agent_is_speaking=False, effective_sample=80), DictationEngine())
    before = Hints(("en",), ("Smith",), ExpectedKind.DIGITS, 6, agent_is_speaking=True)
    assert update.effective_sample == 80
    assert update.apply(before) == Hints(("en",), ("Smith",), ExpectedKind.DIGITS, 6, agent_is_speaking=False)


def test_an_update_can_end_an_expectation():
    expected = expectation_pb2.ExpectedInput(kind=expectation_pb2.ExpectedInput.KIND_OPEN)
    update = read_update(stt_pb2.RecognitionUpdate(expected_input=expected), DictationEngine())
    assert update.apply(Hints(expected_kind=ExpectedKind.DIGITS)).expected_kind is ExpectedKind.OPEN


def test_an_update_to_an_unknown_language_is_refused():
    with pytest.raises(RequestError) as refused:
        read_update(stt_pb2.RecognitionUpdate(language_codes=["tlh"]), DictationEngine())
    assert refused.value.field == "update.language_codes"


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        (0, IdleReason.UNKNOWN),
        (1, IdleReason.UNKNOWN),
        (2, IdleReason.LOSS),
        (3, IdleReason.DTMF),
        (4, IdleReason.HOLD),
        (99, IdleReason.UNKNOWN),
    ],
)
def test_an_idle_reason_from_the_future_is_an_unknown_one(reason, meant):
    assert read_idle_reason(stt_pb2.MediaIdle(reason=reason)) is meant


def test_the_engine_says_what_it_takes():
    info = write_engine(DictationEngine(), SETTINGS)
    assert len(info.audio_formats) == 6
    assert {"media_idle", "update", "utterance_end", "utterance_discard", "corrected"} <= set(info.features)
    assert info.limits.max_streams == SETTINGS.max_streams


def test_a_transcript_carries_its_trace_and_its_cost():
    trace = turn_pb2.TraceContext(traceparent="00-a-b-01")
    transcript = Transcript(
        3, TextStage.DRAFT, "Yes.", 80, 160, "en", 0.5, (Segment("Yes.", 80, 160, 0.5),), Cost(1, 2, 3)
    )
    sent = write_evidence(transcript, trace).transcript
    assert (sent.utterance_id, sent.stage, sent.text) == (3, stt_pb2.Transcript.STAGE_DRAFT, "Yes.")
    assert (sent.start_sample, sent.end_sample, sent.language_code) == (80, 160, "en")
    assert (sent.timing.queue_us, sent.timing.compute_us, sent.timing.since_trigger_us) == (1, 2, 3)
    assert sent.trace_context == trace
    assert sent.segments[0].text == "Yes."


def test_a_confidence_the_engine_does_not_give_is_absent():
    sent = write_evidence(Transcript(1, TextStage.PARTIAL, "Yes", 80, 160), None).transcript
    assert not sent.HasField("confidence")
    assert not sent.HasField("trace_context")


def test_a_keyword_says_the_phrase_and_the_text_that_has_it():
    sent = write_evidence(Keyword(2, "root canal", 160, TextStage.PARTIAL, 0.5), None).keyword
    assert (sent.utterance_id, sent.phrase, sent.end_sample) == (2, "root canal", 160)
    assert (sent.stage, sent.confidence) == (stt_pb2.Transcript.STAGE_PARTIAL, 0.5)


def test_a_failure_says_why():
    sent = write_evidence(UtteranceSettled(1, 160, "SETTLE_TIMEOUT", "too long"), None).utterance_settled
    assert sent.outcome == stt_pb2.UtteranceSettled.OUTCOME_FAILED
    assert (sent.reason, sent.message) == ("SETTLE_TIMEOUT", "too long")


def test_a_region_is_taken_from_config_and_update():
    profile = read(config(region="VN"))
    assert profile.hints.region == "VN"
    update = read_update(stt_pb2.RecognitionUpdate(region="US"), DictationEngine())
    assert update.apply(profile.hints).region == "US"
    assert read_update(stt_pb2.RecognitionUpdate(), DictationEngine()).apply(profile.hints).region == "VN"


def test_an_unknown_region_is_refused():
    with pytest.raises(UnknownRegion) as refused:
        read_update(stt_pb2.RecognitionUpdate(region="vietnam"), DictationEngine())
    assert refused.value.field == "update.region"
