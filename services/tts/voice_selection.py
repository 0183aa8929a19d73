"""Speech parameters of a text: language, voice, rate and pitch, with the defaults of its turn and its stream."""

from collections.abc import Sequence
from enum import Enum

from services.language.phonetics import no_ipa
from services.tts.errors import BadPhonemes, PitchOutOfRange, RateOutOfRange, UnknownVoice
from services.tts.router import Router
from services.tts.say_as import SayAs
from services.tts.sentences import Caching, SpeechParameters

SLOWEST, FASTEST = 0.5, 2.0
LOWEST, HIGHEST = -12.0, 12.0  # semitones from the voice's own pitch
MOST_PHONEMES = 500  # code points


class Emphasis(Enum):
    """Emphasis of a text: the factor on its rate, and the semitones by which its pitch rises.

    The figures are those that engines use which know SSML's <emphasis> (W3C SSML 1.1, section 3.2.2), about.
    """

    NONE = (1.0, 0.0)
    REDUCED = (1.12, -1.0)
    MODERATE = (0.9, 1.0)
    STRONG = (0.8, 2.0)


class VoiceSelection:
    """Defaults of one stream: language, voice, rate and caching."""

    def __init__(
        self,
        router: Router,
        *,
        language_codes: Sequence[str],
        voice: str,
        rate: float,
        caching: Caching = Caching.FREQUENT,
    ) -> None:
        """The first language is that of text that names none; an empty voice and rate 0 mean the engine's own.

        Raises UnknownLanguage, UnknownVoice, RateOutOfRange.
        """
        self._router = router
        self._language_code = language_codes[0]
        self._voice = voice
        self._caching = caching
        self._rate = check_rate(rate or 1.0, field="config.rate")
        for language_code in language_codes:
            router.choose(language_code, field="config.language_codes")
        if voice and not router.has_voice(voice):
            raise UnknownVoice(
                f"config.voice: there is no voice {voice!r}; {router.told_voices(language_codes[0])}",
                field="config.voice",
            )

    def of(
        self,
        *,
        language_code: str,
        voice: str,
        rate: float,
        turn_voice: str,
        caching: Caching | None = None,
        pitch: float = 0.0,
        say_as: SayAs | None = None,
        ipa: str = "",
        emphasis: Emphasis = Emphasis.NONE,
    ) -> SpeechParameters:
        """Return the parameters of a piece of text. `turn_voice` is what an earlier piece of its turn asked for.

        The voice of the turn, else of the stream, holds for the languages it speaks; others get their own. A voice the
        piece itself asks for must speak its language. Raises UnknownLanguage, UnknownVoice, RateOutOfRange,
        PitchOutOfRange, BadPhonemes.
        """
        language_code = language_code or self._language_code
        rate = check_rate(rate or self._rate, field="text.rate")
        if not LOWEST <= pitch <= HIGHEST:
            raise PitchOutOfRange(
                f"text.pitch_semitones is {pitch:g}; it must be {LOWEST:g} to {HIGHEST:g}", field="text.pitch_semitones"
            )
        check_ipa(ipa, field="text.phonemes")
        slower, higher = emphasis.value
        rate = min(FASTEST, max(SLOWEST, rate * slower))
        pitch = min(HIGHEST, max(LOWEST, pitch + higher))
        rest = (rate, caching or self._caching, pitch, say_as, ipa.strip())
        if voice:
            return SpeechParameters(language_code, self._router.choose(language_code, voice).voice, *rest)
        speaker = self._router.choose(language_code)
        for wished in (turn_voice, self._voice):
            if wished and self._router.speaks(wished, language_code):
                return SpeechParameters(language_code, wished, *rest)
        return SpeechParameters(language_code, speaker.voice, *rest)


def check_rate(rate: float, *, field: str) -> float:
    """Return the rate. Raises RateOutOfRange, also for what is no number."""
    if not SLOWEST <= rate <= FASTEST:
        raise RateOutOfRange(f"{field} is {rate:g}; it must be {SLOWEST:g} to {FASTEST:g}, or 0 for 1", field=field)
    return rate


def check_ipa(ipa: str, *, field: str) -> None:
    """Raise BadPhonemes for what is not written in the International Phonetic Alphabet, or too long."""
    if len(ipa) > MOST_PHONEMES:
        raise BadPhonemes(f"{field} has {len(ipa)} characters; send at most {MOST_PHONEMES}", field=field)
    if (wrong := no_ipa(ipa)) != "":
        raise BadPhonemes(
            f"{field}: U+{ord(wrong):04X} is no sign of the International Phonetic Alphabet; send IPA", field=field
        )
