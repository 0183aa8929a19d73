"""Routing of texts to engines and voices by language."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.runtime.metrics import StageMetrics
from services.runtime.providers import Provider, ProviderBoard
from services.tts.engine import TtsEngine, Voice
from services.tts.errors import UnknownLanguage, UnknownVoice

ANY = "*"
MOST_TOLD = 8  # voices that a message names


@dataclass(frozen=True, slots=True)
class Speaker:
    """An engine and the voice it is to use; `provider` where the engine is one of a chain."""

    engine: TtsEngine
    voice: str
    provider: Provider | None = None


class Router:
    """The loaded engines, by language.

    `routes` maps a BCP-47 tag or its first part, in lower case, to an engine, or to several that stand in for one
    another, the first one first; `*` is every other language that engine knows. The longest tag wins.
    """

    def __init__(
        self, routes: Mapping[str, TtsEngine | tuple[TtsEngine, ...]] | None = None, board: ProviderBoard | None = None
    ) -> None:
        """`board` keeps the breakers of engines that have others beside them."""
        self.board = ProviderBoard(StageMetrics("tts")) if board is None else board
        self._routes: dict[str, tuple[TtsEngine, ...]] = {}
        self._providers: dict[TtsEngine, Provider] = {}
        self._tenant_id: str | None = None  # whose voices are seen beside those of all tenants
        for language, engines in (routes or {}).items():
            self.add(language, engines)

    def add(self, language: str, engines: TtsEngine | tuple[TtsEngine, ...], names: tuple[str, ...] = ()) -> None:
        """Let engines speak a language: the first, and the others when those before them fail. `names`: theirs."""
        chain = engines if isinstance(engines, tuple) else (engines,)
        self._routes[language] = chain
        for engine, name in zip(chain, names or [engine.describe().name for engine in chain], strict=True):
            if len(chain) > 1 and engine not in self._providers:
                self._providers[engine] = self.board.add(name, name)

    def seen_by(self, tenant_id: str) -> "Router":
        """The same engines as a tenant sees them: with the voices that are its own."""
        seen = copy.copy(self)
        seen._tenant_id = tenant_id
        return seen

    def _voices(self, engine: TtsEngine) -> list[Voice]:
        return [voice for voice in engine.describe().voices if voice.owner in (None, self._tenant_id)]

    @property
    def chains(self) -> list[tuple[TtsEngine, ...]]:
        return list(self._routes.values())

    @property
    def engines(self) -> list[TtsEngine]:
        """Each engine once, in the order of the table; those that are lost left out."""
        return [engine for engine in self.every_engine if not self._is_lost(engine)]

    @property
    def every_engine(self) -> list[TtsEngine]:
        """Each engine once, lost ones too."""
        return list(dict.fromkeys(engine for chain in self._routes.values() for engine in chain))

    def provider(self, engine: TtsEngine) -> Provider | None:
        """The engine as a provider, where it is one of a chain."""
        return self._providers.get(engine)

    def speaks_language(self, language_code: str) -> bool:
        """Return whether an engine of this server speaks the language."""
        return bool(self._chain(language_code))

    def voices(self) -> list[Voice]:
        """Every voice a client may name."""
        return [voice for engine in self.engines for voice in self._voices(engine)]

    def language_codes(self) -> list[str]:
        """Every language that an engine of this server speaks."""
        codes: dict[str, None] = {}
        routes = [(language, engine) for language, chain in self._routes.items() for engine in chain]
        for language, engine in routes:
            for voice in () if self._is_lost(engine) else self._voices(engine):
                codes.update((code, None) for code in voice.language_codes if language in (ANY, *_prefixes(code)))
        return list(codes)

    def choose(self, language_code: str, voice: str = "", *, field: str = "text.language_code") -> Speaker:
        """Choose engine and voice for a text. An empty voice is the language's own; a named one must speak the
        language.

        `field` is where the language was named. Raises UnknownLanguage, UnknownVoice.
        """
        if voice:
            return self._choose_voice(language_code, voice)
        if speakers := self._chain(language_code):
            return speakers[0]
        raise UnknownLanguage(
            f"{field}: no engine speaks {language_code!r}; DescribeEngine lists the languages", field=field
        )

    def candidates(self, language_code: str, voice: str) -> list[Speaker]:
        """Return the engines and voices for a text, in the order they are to be tried: the engine that has the voice,
        then those that stand in for it, each in its own voice of the language. Raises UnknownLanguage, UnknownVoice.
        """
        first = self.choose(language_code, voice)
        chain = self._chain(language_code)
        others = [speaker for speaker in chain if speaker.engine is not first.engine]
        is_own = any(speaker.engine is first.engine for speaker in chain)
        return [first, *others] if is_own else [first]

    def _chain(self, language_code: str) -> list[Speaker]:
        """Of the longest tag's chain, the engines that speak the language."""
        for prefix in (*_prefixes(language_code), ANY):
            found = [
                Speaker(engine, voice.name, self._providers.get(engine))
                for engine in self._routes.get(prefix, ())
                if not self._is_lost(engine) and (voice := _first_voice(self._voices(engine), language_code))
            ]
            if found:
                return found
        return []

    def has_in_chain(self, engine: TtsEngine, language_code: str) -> bool:
        """Return whether the engine, lost or not, is of the language's chain."""
        chains = (self._routes.get(prefix, ()) for prefix in (*_prefixes(language_code), ANY))
        return engine in next(filter(None, chains), ())

    def _is_lost(self, engine: TtsEngine) -> bool:
        provider = self._providers.get(engine)
        return provider is not None and bool(provider.lost)

    def has_voice(self, voice: str) -> bool:
        """Return whether any engine has the voice."""
        return any(known.name == voice for known in self.voices())

    def told_voices(self, language_code: str) -> str:
        """The voices of a language for a message: so many by name, the rest by their number."""
        names = [voice.name for voice in self.voices() if _speaks(voice, language_code)]
        more = f" and {len(names) - MOST_TOLD} more, which DescribeEngine lists" if len(names) > MOST_TOLD else ""
        return f"{language_code} has {', '.join(names[:MOST_TOLD]) or 'none'}{more}"

    def speaks(self, voice: str, language_code: str) -> bool:
        """Return whether there is such a voice, and it speaks the language."""
        return any(known.name == voice and _speaks(known, language_code) for known in self.voices())

    def _choose_voice(self, language_code: str, voice: str) -> Speaker:
        for engine in self.engines:
            for known in self._voices(engine):
                if known.name == voice and _speaks(known, language_code):
                    return Speaker(engine, voice, self._providers.get(engine))
        if self.has_voice(voice):
            raise UnknownVoice(
                f"text.voice: {voice!r} does not speak {language_code!r}; leave it empty", field="text.voice"
            )
        raise UnknownVoice(
            f"text.voice: there is no voice {voice!r}; {self.told_voices(language_code)}", field="text.voice"
        )


def _prefixes(language_code: str) -> list[str]:
    """`zh-hans-cn`, `zh-hans`, `zh`: from the whole tag to its first part."""
    parts = language_code.lower().split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _first_voice(voices: Sequence[Voice], language_code: str) -> Voice | None:
    for prefix in _prefixes(language_code):
        for voice in voices:
            if any(code.lower() == prefix for code in voice.language_codes):
                return voice
    return next((voice for voice in voices if _speaks(voice, language_code)), None)


def _speaks(voice: Voice, language_code: str) -> bool:
    """Return whether two tags agree in the language: an en-US voice may speak en-GB."""
    language = language_code.lower().split("-")[0]
    return not voice.language_codes or any(code.lower().split("-")[0] == language for code in voice.language_codes)
