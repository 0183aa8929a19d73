"""Translation of the International Phonetic Alphabet into espeak-ng's names of phonemes.

espeak-ng takes phonemes between [[ and ]] by its own names; which of them makes which sound depends on the voice. The
names stand in its file phontab. The sound of each phoneme is asked of espeak-ng itself, in the voice that is to speak.
"""

import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.language.phonetics import PRIMARY_STRESS, SECONDARY_STRESS, replacements

STRESSES = {PRIMARY_STRESS: "'", SECONDARY_STRESS: ","}
VOWEL, LAST_SOUND = 2, 8  # types of phonemes in phontab: vowels, liquids, stops, fricatives, nasals
TONE = 1  # the type of stress and of tones
_TABLE = struct.Struct("<BB2x32s")
_PHONEME = struct.Struct("<IIHBB4x")
_STOP, _VOWEL = "t", "a"


@dataclass(frozen=True, slots=True)
class PhonemeNames:
    """espeak-ng's names of the phonemes of every language, by kind."""

    vowels: frozenset[str]
    consonants: frozenset[str]
    tones: frozenset[str]


def phoneme_names(data: Path, voice_file: str) -> PhonemeNames:
    """Return the phonemes that a voice may use. `data`: espeak-ng's; `voice_file`: of the voice, in its folder lang.

    Raises OSError, and ValueError for files that are none of espeak-ng's.
    """
    names, tables = _tables((data / "phontab").read_bytes())
    wanted = _table_of((data / "lang" / voice_file).read_text(encoding="utf-8", errors="replace"))
    known = [name for name in (wanted, wanted.partition("-")[0]) if name in names]
    if not known:
        raise ValueError(f"espeak-ng has no phonemes {wanted!r}")
    number = names.index(known[0])
    kinds: dict[str, int] = {}
    while number >= 0:
        number, phonemes = tables[number]
        kinds = phonemes | kinds
    return PhonemeNames(
        vowels=frozenset(name for name, kind in kinds.items() if kind == VOWEL),
        consonants=frozenset(name for name, kind in kinds.items() if VOWEL < kind <= LAST_SOUND),
        tones=frozenset(name for name, kind in kinds.items() if kind == TONE and name.isdecimal()),
    )


def _tables(content: bytes) -> tuple[list[str], list[tuple[int, dict[str, int]]]]:
    """Return the names of all tables, and for each the number of the table that it extends, and its phonemes by
    name.
    """
    names: list[str] = []
    tables: list[tuple[int, dict[str, int]]] = []
    at = 4
    try:
        for _ in range(content[0]):
            n_phonemes, begun_by, name = _TABLE.unpack_from(content, at)
            at += _TABLE.size
            phonemes: dict[str, int] = {}
            for _ in range(n_phonemes):
                packed, _, _, _, kind = _PHONEME.unpack_from(content, at)
                at += _PHONEME.size
                phoneme = struct.pack("<I", packed).rstrip(b"\0").decode("latin-1")
                if phoneme and phoneme.isprintable() and "|" not in phoneme:
                    phonemes[phoneme] = kind
            names.append(name.split(b"\0")[0].decode("latin-1"))
            tables.append((begun_by - 1, phonemes))
    except (IndexError, struct.error) as error:
        raise ValueError("phontab is no table of phonemes") from error
    return names, tables


def _table_of(voice: str) -> str:
    """Return the phoneme table that a voice's file names; by default the name of the language."""
    found = {
        key: value
        for line in reversed(voice.splitlines())
        if len(words := line.split()) > 1
        for key, value in [words[:2]]
    }
    return found.get("phonemes") or found.get("language", "")


class PhonemeWriter:
    """Writes IPA as phonemes of one voice."""

    def __init__(self, names: PhonemeNames, ask: Callable[[str], str]) -> None:
        """`ask` gives the IPA of what stands between [[ and ]], said in that voice. Some 1000 questions of 10 us."""
        self._names: dict[str, str] = {}  # IPA -> the shortest name
        vowel = ask(_VOWEL)
        for sounds, behind in ((names.vowels, _STOP), (names.consonants, _VOWEL)):
            heard = ask(behind)
            for name in _shortest_first(sounds):  # some sound otherwise at the end of a word
                inside = ask(f"{name}|{behind}")
                if heard and inside.endswith(heard):
                    self._add(inside.removesuffix(heard), name)
        for name in (*_shortest_first(names.consonants), *_shortest_first(names.vowels)):
            self._add(ask(name), name)
        for name in _shortest_first(names.tones):
            self._add(ask(f"{_VOWEL}|{name}").removeprefix(vowel), name)
        self._longest = max(map(len, self._names), default=0)

    def _add(self, ipa: str, name: str) -> None:
        key = unicodedata.normalize("NFD", ipa).translate(_UNSTRESSED)
        if key:
            self._names.setdefault(key, name)

    def write(self, ipa: str) -> str:
        """Return phonemes for [[ and ]]. A sound that espeak-ng lacks becomes the nearest one that it has."""
        words = unicodedata.normalize("NFD", ipa).split()
        return " ".join("|".join(self._phonemes(word)) for word in words)

    def _phonemes(self, ipa: str) -> Iterator[str]:
        at, stress = 0, ""
        while at < len(ipa):
            if (mark := STRESSES.get(ipa[at])) is not None:
                stress, at = mark, at + 1
                continue
            length, name = self._sound_at(ipa, at)
            if name:
                yield stress + name
                stress = ""
            at += length

    def _sound_at(self, ipa: str, at: int) -> tuple[int, str]:
        """Return length and phoneme of the longest run of IPA that is one phoneme; an empty phoneme where there is
        none.
        """
        for length in range(min(self._longest, len(ipa) - at), 0, -1):
            if (name := self._names.get(ipa[at : at + length])) is not None:
                return length, name
        for other in replacements(ipa[at]):
            names = [self._names.get(sound) for sound in (other, *other)]
            if names[0]:
                return 1, names[0]
            if all(names[1:]):
                return 1, "|".join(name for name in names[1:] if name)
        return 1, ""


def _shortest_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (len(name), name))


_UNSTRESSED = dict.fromkeys(map(ord, STRESSES))
