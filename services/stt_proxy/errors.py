"""Errors of this stage beyond those of every stage."""

from services.runtime.errors import EngineFailed, RequestError, UnavailableError


class UnknownEncoding(RequestError):
    """The audio format names no encoding, or one that is not taken."""

    reason = "UNKNOWN_ENCODING"


class UnknownSampleRate(RequestError):
    """The audio format names a rate that is not taken."""

    reason = "UNKNOWN_SAMPLE_RATE"


class UnknownLanguage(RequestError):
    """The engine does not understand a language."""

    reason = "UNKNOWN_LANGUAGE"


class BadSample(RequestError):
    """A position on the call's clock is impossible."""

    reason = "BAD_SAMPLE"


class AudioOverlap(RequestError):
    """Audio or idle time begins before the last one ended."""

    reason = "AUDIO_OVERLAP"


class TornAudio(RequestError):
    """A chunk holds no whole number of samples."""

    reason = "TORN_AUDIO"


class ChunkTooLong(RequestError):
    """A chunk holds more than it may."""

    reason = "CHUNK_TOO_LONG"


class UnknownRegion(RequestError):
    """The region has no telephone numbers that are known."""

    reason = "UNKNOWN_REGION"


class BadEndpointing(RequestError):
    """An endpointing value is out of its range."""

    reason = "BAD_ENDPOINTING"


class UtteranceFailed(EngineFailed):
    """An utterance could not be settled, and the client wants that to fail the stream."""

    reason = "UTTERANCE_FAILED"


class DetectorFailed(EngineFailed):
    """The voice detector failed: the call cannot be recognised here any more."""

    reason = "DETECTOR_FAILED"


class EngineLost(UnavailableError):
    """The engine, or the provider behind it, cannot go on with the call. Another server may."""

    reason = "ENGINE_LOST"
