"""Translation of `voice.stt.v1` to this stage's own values and back; no other module but service.py uses protobuf."""

from collections.abc import Iterable

from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2, engine_pb2, expectation_pb2, turn_pb2

from services.audio.pcm import AudioFormat, Encoding
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import ExpectedKind, Hints, SttEngine
from services.stt_proxy.errors import (
    BadEndpointing,
    BadSample,
    UnknownEncoding,
    UnknownLanguage,
    UnknownRegion,
    UnknownSampleRate,
)
from services.stt_proxy.events import (
    Cost,
    Evidence,
    Keyword,
    Progress,
    SpeechActivity,
    TextStage,
    Transcript,
    TurnPrediction,
    UtteranceSettled,
)
from services.stt_proxy.intake import DETECTOR_RATE_HERTZ, LATEST_SAMPLE, MAX_CHUNK_MS, WINDOW_SAMPLES, IdleReason
from services.stt_proxy.line_sounds.detector import LineSound, LineSoundKind
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.steps import HintsUpdate
from services.stt_proxy.telephone import is_region
from services.stt_proxy.utterance import Endpointing

RATES_HERTZ = (8000, 16000, 24000, 48000)
LONGEST_WAIT_MS = 10_000
LONGEST_DRAFT_SPEECH_MS = 120_000
MOST_DRAFTS = 100
FEATURES = (
    "media_idle", "update", "utterance_end", "utterance_discard", "speech_activity", "drafts", "turn_prediction",
    "line_event", "keyword",
)  # fmt: skip

_ENCODINGS = {
    audio_pb2.AUDIO_ENCODING_LINEAR16: Encoding.LINEAR16,
    audio_pb2.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    audio_pb2.AUDIO_ENCODING_ALAW: Encoding.ALAW,
}
_IDLE_REASONS = {
    stt_pb2.MediaIdle.REASON_LOSS: IdleReason.LOSS,
    stt_pb2.MediaIdle.REASON_DTMF: IdleReason.DTMF,
    stt_pb2.MediaIdle.REASON_HOLD: IdleReason.HOLD,
}
_EXPECTED = {
    expectation_pb2.ExpectedInput.KIND_YES_NO: ExpectedKind.YES_NO,
    expectation_pb2.ExpectedInput.KIND_DIGITS: ExpectedKind.DIGITS,
    expectation_pb2.ExpectedInput.KIND_SPELLING: ExpectedKind.SPELLING,
    expectation_pb2.ExpectedInput.KIND_ANSWER: ExpectedKind.ANSWER,
}
_LINE_EVENTS = {
    LineSoundKind.DTMF: stt_pb2.LineEvent.KIND_DTMF,
    LineSoundKind.RING_BACK: stt_pb2.LineEvent.KIND_RING_BACK,
    LineSoundKind.BUSY: stt_pb2.LineEvent.KIND_BUSY,
    LineSoundKind.DIAL_TONE: stt_pb2.LineEvent.KIND_DIAL_TONE,
    LineSoundKind.FAX_CALLING: stt_pb2.LineEvent.KIND_FAX_CALLING,
    LineSoundKind.BEEP: stt_pb2.LineEvent.KIND_BEEP,
    LineSoundKind.MUSIC: stt_pb2.LineEvent.KIND_MUSIC,
}
_STAGES = {
    TextStage.PARTIAL: stt_pb2.Transcript.STAGE_PARTIAL,
    TextStage.DRAFT: stt_pb2.Transcript.STAGE_DRAFT,
    TextStage.SETTLED: stt_pb2.Transcript.STAGE_SETTLED,
    TextStage.CORRECTED: stt_pb2.Transcript.STAGE_CORRECTED,
}


def read_config(
    config: stt_pb2.RecognitionConfig, *, call_id: str, settings: SttSettings, engine: SttEngine
) -> CallProfile:
    """Check the config. Raises RequestErrors that name the field."""
    if not 0 <= config.start_sample <= LATEST_SAMPLE:
        raise BadSample(
            f"config.start_sample {config.start_sample} is no position of a call: count from 0",
            field="config.start_sample",
        )
    endpointing = config.endpointing
    return CallProfile(
        call_id=call_id,
        audio_format=_read_format(config.audio_format),
        start_sample=config.start_sample,
        hints=Hints(
            language_codes=read_languages(config.language_codes, engine, field="config.language_codes"),
            phrases=tuple(config.phrases),
            region=read_region(config.region, field="config.region"),
        ),
        endpointing=Endpointing(
            waits=Waits(
                complete_ms=_ms(endpointing.complete_wait_ms, settings.complete_wait_ms, "complete_wait_ms"),
                unfinished_ms=_ms(endpointing.unfinished_wait_ms, settings.unfinished_wait_ms, "unfinished_wait_ms"),
                no_text_ms=settings.no_text_wait_ms,
            ),
            max_drafts=_ms(endpointing.max_drafts, settings.max_drafts, "max_drafts", MOST_DRAFTS),
            max_draft_speech_ms=_ms(
                endpointing.max_draft_speech_ms,
                settings.max_draft_speech_ms,
                "max_draft_speech_ms",
                LONGEST_DRAFT_SPEECH_MS,
            ),
            learns_pauses=settings.learn_pauses,
            punctuates="punctuation" in engine.features,
        ),
        draft_pause_ms=_ms(endpointing.draft_pause_ms, settings.draft_pause_ms, "draft_pause_ms"),
        max_gap_ms=settings.max_gap_ms,
        max_utterance_s=settings.max_utterance_s,
        settle_limit_s=settings.settle_limit_s,
    )


def read_languages(codes: Iterable[str], engine: SttEngine, *, field: str) -> tuple[str, ...]:
    """Return the tags, each one that the engine understands. Raises UnknownLanguage."""
    wanted = tuple(codes)
    known = {code.split("-")[0].lower() for code in engine.language_codes}
    for code in wanted:
        if not code or (known and code.split("-")[0].lower() not in known):
            raise UnknownLanguage(
                f"{field}: engine {engine.name} does not understand {code[:32]!r}; DescribeEngine lists what it does",
                field=field,
            )
    return wanted


def read_region(code: str, *, field: str) -> str:
    """Return the region, or an empty string. Raises UnknownRegion."""
    if code and not is_region(code):
        raise UnknownRegion(f"{field} {code[:32]!r} is no region: use two letters of ISO 3166-1, as VN", field=field)
    return code


def read_update(update: stt_pb2.RecognitionUpdate, engine: SttEngine) -> HintsUpdate:
    """Read an update; a field that is not set changes nothing. Raises UnknownLanguage, UnknownRegion."""
    languages = read_languages(update.language_codes, engine, field="update.language_codes")
    expected = update.expected_input if update.HasField("expected_input") else None
    return HintsUpdate(
        effective_sample=update.effective_sample,
        language_codes=languages or None,
        phrases=tuple(update.phrases) or None,
        expected_kind=None if expected is None else _EXPECTED.get(expected.kind, ExpectedKind.OPEN),
        expected_length=0 if expected is None else max(0, expected.length),
        region=read_region(update.region, field="update.region") or None,
        agent_is_speaking=update.agent_is_speaking if update.HasField("agent_is_speaking") else None,
    )


def read_idle_reason(idle: stt_pb2.MediaIdle) -> IdleReason:
    """A reason this server does not know is an unknown one."""
    return _IDLE_REASONS.get(idle.reason, IdleReason.UNKNOWN)


def write_engine(
    engine: SttEngine, settings: SttSettings, providers: Iterable[engine_pb2.Provider] = ()
) -> engine_pb2.EngineInfo:
    """Return the engine message that opens every stream."""
    formats = [
        audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000),
        audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000),
        *(
            audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=rate)
            for rate in RATES_HERTZ
        ),
    ]
    return engine_pb2.EngineInfo(
        name=engine.name,
        model=engine.model,
        language_codes=engine.language_codes,
        audio_formats=formats,
        limits=engine_pb2.EngineLimits(
            max_streams=min(settings.max_streams, _capacity(engine, settings)),
            max_chunk_bytes=2 * max(RATES_HERTZ) * MAX_CHUNK_MS // 1000,
        ),
        features=(*FEATURES, *engine.features),
        audio_step_ms=WINDOW_SAMPLES * 1000 // DETECTOR_RATE_HERTZ,
        providers=providers,
    )


def _capacity(engine: SttEngine, settings: SttSettings) -> int:
    """Return the calls that the engine was measured to serve; without a measurement, as many as the settings let in."""
    measured = int(getattr(engine, "capacity", 0)) if settings.measured_admission else 0
    return measured or settings.max_streams


def write_evidence(
    evidence: Evidence, trace_context: turn_pb2.TraceContext | None
) -> stt_pb2.StreamingRecognizeResponse:
    """Return one message of the STT stage. Only transcripts carry the trace."""
    response: stt_pb2.StreamingRecognizeResponse
    match evidence:
        case SpeechActivity():
            response = stt_pb2.StreamingRecognizeResponse(
                speech_activity=stt_pb2.SpeechActivity(
                    kind=stt_pb2.SpeechActivity.KIND_BEGIN if evidence.is_begin else stt_pb2.SpeechActivity.KIND_END,
                    sample=evidence.sample,
                    score=evidence.score,
                )
            )
        case Transcript():
            response = stt_pb2.StreamingRecognizeResponse(transcript=_write_transcript(evidence, trace_context))
        case Keyword():
            response = stt_pb2.StreamingRecognizeResponse(
                keyword=stt_pb2.Keyword(
                    utterance_id=evidence.utterance_id,
                    phrase=evidence.phrase,
                    end_sample=evidence.end_sample,
                    stage=_STAGES[evidence.stage],
                    confidence=evidence.confidence,
                )
            )
        case TurnPrediction():
            response = stt_pb2.StreamingRecognizeResponse(
                turn_prediction=stt_pb2.TurnPrediction(
                    utterance_id=evidence.utterance_id,
                    end_sample=evidence.end_sample,
                    probability=evidence.probability,
                    wait_ms=evidence.wait_ms,
                    reason=evidence.reason,
                )
            )
        case UtteranceSettled():
            outcome = stt_pb2.UtteranceSettled.OUTCOME_OK if evidence.is_ok else stt_pb2.UtteranceSettled.OUTCOME_FAILED
            response = stt_pb2.StreamingRecognizeResponse(
                utterance_settled=stt_pb2.UtteranceSettled(
                    utterance_id=evidence.utterance_id,
                    end_sample=evidence.end_sample,
                    outcome=outcome,
                    reason=evidence.reason,
                    message=evidence.message,
                    timing=_write_cost(evidence.cost),
                )
            )
        case LineSound():
            response = stt_pb2.StreamingRecognizeResponse(
                line_event=stt_pb2.LineEvent(
                    kind=_LINE_EVENTS[evidence.kind],
                    start_sample=evidence.start_sample,
                    end_sample=evidence.end_sample,
                    key=evidence.key,
                )
            )
        case Progress(processed_sample):
            response = stt_pb2.StreamingRecognizeResponse(progress=stt_pb2.Progress(processed_sample=processed_sample))
    return response


def _write_transcript(transcript: Transcript, trace_context: turn_pb2.TraceContext | None) -> stt_pb2.Transcript:
    return stt_pb2.Transcript(
        utterance_id=transcript.utterance_id,
        stage=_STAGES[transcript.stage],
        text=transcript.text,
        start_sample=transcript.start_sample,
        end_sample=transcript.end_sample,
        confidence=transcript.confidence,
        language_code=transcript.language_code,
        segments=[
            stt_pb2.Segment(
                text=segment.text,
                start_sample=segment.start_sample,
                end_sample=segment.end_sample,
                confidence=segment.confidence,
                words=[
                    stt_pb2.Word(
                        text=word.text,
                        start_sample=word.start_sample,
                        end_sample=word.end_sample,
                        confidence=word.confidence,
                    )
                    for word in segment.words
                ],
            )
            for segment in transcript.segments
        ],
        timing=_write_cost(transcript.cost) if transcript.cost is not None else None,
        trace_context=trace_context,
    )


def _write_cost(cost: Cost) -> turn_pb2.Timing:
    return turn_pb2.Timing(queue_us=cost.queue_us, compute_us=cost.compute_us, since_trigger_us=cost.since_trigger_us)


def _read_format(audio_format: audio_pb2.AudioFormat) -> AudioFormat:
    field = "config.audio_format.encoding"
    encoding = _ENCODINGS.get(audio_format.encoding)
    if encoding is None:
        raise UnknownEncoding(f"{field} {audio_format.encoding} is not known: use LINEAR16, MULAW or ALAW", field=field)
    rate_field = "config.audio_format.sample_rate_hertz"
    rates = RATES_HERTZ if encoding is Encoding.LINEAR16 else (8000,)
    if audio_format.sample_rate_hertz not in rates:
        raise UnknownSampleRate(
            f"{rate_field} {audio_format.sample_rate_hertz}: {encoding.name} takes {', '.join(map(str, rates))}",
            field=rate_field,
        )
    return AudioFormat(encoding, audio_format.sample_rate_hertz)


def _ms(value: int, default: int, name: str, most: int = LONGEST_WAIT_MS) -> int:
    """Return a value of the endpointing in ms, 0 being the default. Raises BadEndpointing."""
    field = f"config.endpointing.{name}"
    if not 0 <= value <= most:
        raise BadEndpointing(f"{field} {value}: use 1 to {most}, or 0 for the default", field=field)
    return value or default
