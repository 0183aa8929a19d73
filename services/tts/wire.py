"""Translation of `voice.tts.v1` to this stage's own values and back."""

from collections.abc import Sequence

from voice.tts.v1 import tts_pb2
from voice.type.v1 import audio_pb2, turn_pb2

from services.audio.pcm import G711_RATE_HERTZ, AudioFormat, Encoding
from services.language.reading.normalizer import Pronunciation
from services.runtime.tracing import TraceContext
from services.tts.call_voice import Output, TextPiece, TurnEnded, TurnSound
from services.tts.errors import BadChunkLength, BadLexicon, UnknownEncoding, UnknownSampleRate
from services.tts.ready import Mark
from services.tts.say_as import SayAs
from services.tts.sentences import Caching
from services.tts.turn import Outcome
from services.tts.voice_selection import Emphasis, check_ipa

DEFAULT_LONGEST_CHUNK_MS = 100
LONGEST_CHUNK_MS = (20, 1000)
MAX_LEXICON_WORDS = 500
MAX_LEXICON_CHARS = 200
LINEAR16_RATES = (8000, 16000, 24000, 48000)

_ENCODINGS = {
    audio_pb2.AUDIO_ENCODING_LINEAR16: Encoding.LINEAR16,
    audio_pb2.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    audio_pb2.AUDIO_ENCODING_ALAW: Encoding.ALAW,
}
_OUTCOMES = {
    Outcome.COMPLETED: turn_pb2.TurnEnd.OUTCOME_COMPLETED,
    Outcome.CANCELLED: turn_pb2.TurnEnd.OUTCOME_CANCELLED,
    Outcome.FAILED: turn_pb2.TurnEnd.OUTCOME_FAILED,
}

_SAY_AS = {
    tts_pb2.SAY_AS_DIGITS: SayAs.DIGITS,
    tts_pb2.SAY_AS_SPELLING: SayAs.SPELLING,
    tts_pb2.SAY_AS_TELEPHONE: SayAs.TELEPHONE,
    tts_pb2.SAY_AS_TIME: SayAs.TIME,
    tts_pb2.SAY_AS_DATE: SayAs.DATE,
    tts_pb2.SAY_AS_MONEY: SayAs.MONEY,
    tts_pb2.SAY_AS_ADDRESS: SayAs.ADDRESS,
}
_EMPHASIS = {
    tts_pb2.EMPHASIS_REDUCED: Emphasis.REDUCED,
    tts_pb2.EMPHASIS_MODERATE: Emphasis.MODERATE,
    tts_pb2.EMPHASIS_STRONG: Emphasis.STRONG,
}
_CACHING = {
    tts_pb2.SPEECH_CACHING_FREQUENT: Caching.FREQUENT,
    tts_pb2.SPEECH_CACHING_KEPT: Caching.KEPT,
    tts_pb2.SPEECH_CACHING_FORBIDDEN: Caching.FORBIDDEN,
}

Response = tts_pb2.StreamingSynthesizeResponse


def caching(asked: tts_pb2.SpeechCaching.ValueType) -> Caching | None:
    """Return the caching that a message asks for; None where it leaves that open, or asks for a kind not known here."""
    return _CACHING.get(asked)


def text_piece(text: tts_pb2.TurnText) -> TextPiece:
    """A piece of a turn's text."""
    return TextPiece(
        turn_id=text.turn_id,
        text=text.text,
        flush=text.flush,
        voice=text.voice,
        language_code=text.language_code,
        rate=text.rate,
        caching=caching(text.caching),
        pitch=text.pitch_semitones,
        pause_ms=text.pause_ms if text.HasField("pause_ms") else None,
        say_as=_SAY_AS.get(text.say_as),
        ipa=text.phonemes,
        emphasis=_EMPHASIS.get(text.emphasis, Emphasis.NONE),
        start_offset=text.start_offset,
        trace_context=TraceContext(text.trace_context.traceparent, text.trace_context.tracestate)
        if text.HasField("trace_context")
        else None,
    )


def responses(output: Output, *, marks_in_audio: bool) -> list[Response]:
    """Return the responses of a turn's sound: marks in their chunk, or before it."""
    if isinstance(output, TurnEnded):
        return [_turn_end(output)]
    sound = _sound(output)
    marks = [_mark(mark) for mark in output.marks]
    if marks_in_audio:
        sound.audio.marks.extend(marks)
        return [sound]
    for mark in marks:
        mark.turn_id = output.turn_id
    return [*(Response(spoken_text=mark) for mark in marks), sound]


def _sound(output: TurnSound) -> Response:
    chunk = audio_pb2.AudioChunk(start_sample=output.chunk.start_sample, content=output.chunk.content)
    timing = output.timing.to_proto() if output.timing else None
    return Response(audio=tts_pb2.TurnAudio(turn_id=output.turn_id, chunk=chunk, timing=timing))


def _mark(mark: Mark) -> tts_pb2.SpokenText:
    timing = tts_pb2.SpokenText.MARK_TIMING_INTERPOLATED
    if mark.is_measured:
        timing = tts_pb2.SpokenText.MARK_TIMING_MEASURED
    return tts_pb2.SpokenText(
        text_end_offset=mark.text_end_offset,
        end_sample=mark.end_sample,
        timing=timing,
    )


def _turn_end(output: TurnEnded) -> Response:
    failure = output.failure
    return Response(
        turn_end=turn_pb2.TurnEnd(
            turn_id=output.turn_id,
            outcome=_OUTCOMES[output.outcome],
            reason=failure.reason if failure else "",
            message=failure.message if failure else "",
            is_retryable=output.is_retryable,
            retry_delay_ms=failure.retry_delay_ms if failure else 0,
            timing=output.timing.to_proto(),
            engine=output.engine,
        )
    )


def audio_formats() -> list[audio_pb2.AudioFormat]:
    """Return all formats that are served, the telephone's first."""
    telephone = [audio_pb2.AUDIO_ENCODING_MULAW, audio_pb2.AUDIO_ENCODING_ALAW]
    return [
        *(audio_pb2.AudioFormat(encoding=encoding, sample_rate_hertz=G711_RATE_HERTZ) for encoding in telephone),
        *(
            audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=rate)
            for rate in LINEAR16_RATES
        ),
    ]


def audio_format(asked: audio_pb2.AudioFormat) -> AudioFormat:
    """Return the format that a stream asks for. Raises UnknownEncoding, UnknownSampleRate."""
    encoding = _ENCODINGS.get(asked.encoding)
    if encoding is None:
        raise UnknownEncoding(
            "config.audio_format.encoding must be LINEAR16, MULAW or ALAW", field="config.audio_format.encoding"
        )
    rates = LINEAR16_RATES if encoding is Encoding.LINEAR16 else (G711_RATE_HERTZ,)
    if asked.sample_rate_hertz not in rates:
        raise UnknownSampleRate(
            f"config.audio_format.sample_rate_hertz is {asked.sample_rate_hertz}; {encoding.name} has "
            f"{', '.join(map(str, rates))}",
            field="config.audio_format.sample_rate_hertz",
        )
    return AudioFormat(encoding, asked.sample_rate_hertz)


def longest_chunk_ms(config: tts_pb2.SynthesisConfig) -> int:
    """Return the longest chunk in ms. Raises BadChunkLength."""
    if not config.HasField("longest_chunk_ms"):
        return DEFAULT_LONGEST_CHUNK_MS
    least, most = LONGEST_CHUNK_MS
    if not least <= config.longest_chunk_ms <= most:
        raise BadChunkLength(
            f"config.longest_chunk_ms is {config.longest_chunk_ms}; send {least} to {most}",
            field="config.longest_chunk_ms",
        )
    return config.longest_chunk_ms


def lexicon(words: Sequence[tts_pb2.Pronunciation]) -> list[Pronunciation]:
    """Return the lexicon of a stream. Raises BadLexicon, BadPhonemes."""
    if len(words) > MAX_LEXICON_WORDS:
        raise BadLexicon(f"config.lexicon has over {MAX_LEXICON_WORDS} words; send fewer", field="config.lexicon")
    for index, word in enumerate(words):
        field = f"config.lexicon[{index}].written"
        if not word.written.strip() or max(len(word.written), len(word.spoken)) > MAX_LEXICON_CHARS:
            raise BadLexicon(f"{field} must be 1 to {MAX_LEXICON_CHARS} characters, and what is spoken", field=field)
        check_ipa(word.ipa, field=f"config.lexicon[{index}].ipa")
    return [
        Pronunciation(word.written, word.spoken, word.language_code, word.ipa, word.spoken_language_code)
        for word in words
    ]
