"""Which engine speaks which language, in which voice."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.tts.engine import TtsEngine, Voice
from services.tts.errors import UnknownLanguage, UnknownVoice

ANY = "*"


@dataclass(frozen=True, slots=True)
class Speaker:
    """An engine and the voice it is to use."""

    engine: TtsEngine
    voice: str


class Router:
    """The loaded engines, by language.

    `routes` maps a BCP-47 tag or its first part, in lower case, to an engine; `*` is every other language that engine
    knows. The longest tag wins.
    """

    def __init__(self, routes: Mapping[str, TtsEngine] | None = None) -> None:
        self._routes = dict(routes or {})

    def add(self, language: str, engine: TtsEngine) -> None:
        """Let an engine speak a language."""
        self._routes[language] = engine

    @property
    def engines(self) -> list[TtsEngine]:
        """Each engine once, in the order of the table."""
        return list(dict.fromkeys(self._routes.values()))

    def voices(self) -> list[Voice]:
        """Every voice a client may name."""
        return [voice for engine in self.engines for voice in engine.describe().voices]

    def language_codes(self) -> list[str]:
        """Every language that is spoken here."""
        codes: dict[str, None] = {}
        for language, engine in self._routes.items():
            for voice in engine.describe().voices:
                codes.update((code, None) for code in voice.language_codes if language in (ANY, *_prefixes(code)))
        return list(codes)

    def choose(self, language_code: str, voice: str = "", *, field: str = "text.language_code") -> Speaker:
        """Who says a text. An empty voice is the language's own; a named one must speak the language.

        `field` is where the language was named. Raises UnknownLanguage, UnknownVoice.
        """
        if voice:
            return self._choose_voice(language_code, voice)
        for prefix in (*_prefixes(language_code), ANY):
            engine = self._routes.get(prefix)
            if engine is not None and (found := _first_voice(engine, language_code)):
                return Speaker(engine, found.name)
        raise UnknownLanguage(
            f"{field}: nobody here speaks {language_code!r}; DescribeEngine lists the languages", field=field
        )

    def has_voice(self, voice: str) -> bool:
        """Whether any engine has it."""
        return any(known.name == voice for known in self.voices())

    def speaks(self, voice: str, language_code: str) -> bool:
        """Whether there is such a voice, and it speaks the language."""
        return any(known.name == voice and _speaks(known, language_code) for known in self.voices())

    def _choose_voice(self, language_code: str, voice: str) -> Speaker:
        for engine in self.engines:
            for known in engine.describe().voices:
                if known.name == voice and _speaks(known, language_code):
                    return Speaker(engine, voice)
        if self.has_voice(voice):
            raise UnknownVoice(
                f"text.voice: {voice!r} does not speak {language_code!r}; leave it empty", field="text.voice"
            )
        raise UnknownVoice(f"text.voice: there is no voice {voice!r}; DescribeEngine lists them", field="text.voice")


def _prefixes(language_code: str) -> list[str]:
    """`zh-hans-cn`, `zh-hans`, `zh`: from the whole tag to its first part."""
    parts = language_code.lower().split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _first_voice(engine: TtsEngine, language_code: str) -> Voice | None:
    voices = engine.describe().voices
    for prefix in _prefixes(language_code):
        for voice in voices:
            if any(code.lower() == prefix for code in voice.language_codes):
                return voice
    return next((voice for voice in voices if _speaks(voice, language_code)), None)


def _speaks(voice: Voice, language_code: str) -> bool:
    """Two tags of one language agree: who speaks en-US can be asked for en-GB."""
    language = language_code.lower().split("-")[0]
    return not voice.language_codes or any(code.lower().split("-")[0] == language for code in voice.language_codes)
