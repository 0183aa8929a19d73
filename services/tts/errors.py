"""Errors of requests to speak.

In `config` such an error ends the stream; in a turn it ends the turn, with the same reason and message.
"""

from services.runtime.errors import CapacityError, NotFoundError, PermissionDeniedError, RequestError


class UnknownVoice(RequestError):
    """No engine of this server has a voice of this name for this language."""

    reason = "UNKNOWN_VOICE"


class UnknownLanguage(RequestError):
    """No engine of this server speaks this language."""

    reason = "UNKNOWN_LANGUAGE"


class UnknownEncoding(RequestError):
    """The audio format names no encoding, or one that is not given."""

    reason = "UNKNOWN_ENCODING"


class UnknownSampleRate(RequestError):
    """The audio format names a rate that is not given."""

    reason = "UNKNOWN_SAMPLE_RATE"


class RateOutOfRange(RequestError):
    """A speaking rate outside of 0.5 to 2.0."""

    reason = "RATE_OUT_OF_RANGE"


class BadLead(RequestError):
    """A lead over real time that is negative."""

    reason = "BAD_MAX_LEAD"


class BadChunkLength(RequestError):
    """A longest chunk that is too short or too long."""

    reason = "BAD_CHUNK_LENGTH"


class BadLexicon(RequestError):
    """A lexicon with empty or endless words, or with too many."""

    reason = "BAD_LEXICON"


class BadTurnId(RequestError):
    """Turn ids begin at 1."""

    reason = "BAD_TURN_ID"


class TextAfterTextEnd(RequestError):
    """More text for a turn whose text was said to be whole."""

    reason = "TEXT_AFTER_TEXT_END"


class PitchOutOfRange(RequestError):
    """A pitch more than an octave from the voice's own."""

    reason = "PITCH_OUT_OF_RANGE"


class PauseOutOfRange(RequestError):
    """A pause that is negative, or longer than ten seconds."""

    reason = "PAUSE_OUT_OF_RANGE"


class BadPhonemes(RequestError):
    """Sounds that are not written in the International Phonetic Alphabet, or too many."""

    reason = "BAD_PHONEMES"


class EmptyText(RequestError):
    """An empty piece of text."""

    reason = "EMPTY_TEXT"


class TextTooLong(RequestError):
    """More text than one turn may have."""

    reason = "TEXT_TOO_LONG"


class ControlCharacters(RequestError):
    """Text with control characters."""

    reason = "CONTROL_CHARACTERS"


class NothingToSpeak(RequestError):
    """A turn without a letter or a digit."""

    reason = "NOTHING_TO_SPEAK"


class BadStartOffset(RequestError):
    """A place before the start of the turn's text, or where no text can reach."""

    reason = "BAD_START_OFFSET"


class CloningOff(PermissionDeniedError):
    """No engine of this server clones voices."""

    reason = "CLONING_OFF"


class ConsentMissing(RequestError):
    """The request does not say that the speaker consents."""

    reason = "CONSENT_MISSING"


class BadVoice(RequestError):
    """A name or a language that a voice cannot have, or pieces of recordings out of order."""

    reason = "BAD_VOICE"


class TooFewReferences(RequestError):
    """Fewer recordings than a voice needs, more than it may have, or the same one twice."""

    reason = "TOO_FEW_REFERENCES"


class UploadTooLarge(RequestError):
    """More bytes than the recordings of a voice may have."""

    reason = "UPLOAD_TOO_LARGE"


class NotAWav(RequestError):
    """A recording that is no WAV file, or of a kind that is not taken."""

    reason = "NOT_A_WAV"


class ReferenceLength(RequestError):
    """A recording too short or too long, or too little speech in all."""

    reason = "REFERENCE_LENGTH"


class ReferenceClipped(RequestError):
    """A recording made at too high a level."""

    reason = "REFERENCE_CLIPPED"


class ReferenceNoisy(RequestError):
    """A recording with too much noise beside the speech, or without speech."""

    reason = "REFERENCE_NOISY"


class SeveralSpeakers(RequestError):
    """Recordings in which more than one person is heard."""

    reason = "SEVERAL_SPEAKERS"


class TooManyVoices(CapacityError):
    """The tenant has as many voices as it may."""

    reason = "TOO_MANY_VOICES"


class VoiceNotFound(NotFoundError):
    """The tenant has no such voice."""

    reason = "VOICE_NOT_FOUND"
