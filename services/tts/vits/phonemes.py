"""Phoneme ids of a Piper voice, and the word that each id belongs to."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from services.language.phonetics import fitted
from services.language.reading.spoken import Stretch

BEGIN, PAD, END = "^", "_", "$"

_PHRASE = re.compile(r"[^.,;:!?…]*(?:[.,;:!?…](?!\s|$)[^.,;:!?…]*)*(?P<mark>[.,;:!?…]*)[\"'”’»)]*\s*")
_WORD = re.compile(r"\S+")
_SPEAKABLE = re.compile(r"[^\W_]")
_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z]+)*\)")  # espeak-ng names a language where it changes to it by itself

Phonemizer = Callable[[Sequence[str], str], Sequence[str]]
"""Gives the IPA of each text, read in a language; an empty language is the voice's own."""
_STRESS = str.maketrans("", "", "ˈˌː ")


@dataclass(frozen=True, slots=True)
class PhonemeIds:
    """A line as phoneme ids."""

    ids: tuple[int, ...]
    word_ends: tuple[tuple[int, int], ...]  # (code points into the text, index of the first id behind the word)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of a phrase that is read in one language, or by its sounds."""

    start: int  # code points of the text
    text: str
    stretch: Stretch | None
    words: tuple[re.Match[str], ...]  # in `text`


def phoneme_ids(
    text: str,
    phonemize: Phonemizer,
    id_map: Mapping[str, Sequence[int]],
    *,
    stretches: Sequence[Stretch] = (),
    has_sound: Callable[[str], bool] | None = None,
) -> PhonemeIds:
    """Read a line. `id_map` is the voice's own, with "^", "_" and "$".

    Every phrase is phonemised whole, so that words are still assimilated to their neighbours, and each word by itself
    as well, to find where it lies in the phrase. `stretches` are read by themselves, in their language or by their
    sounds, and what of them the voice was not trained on, as `has_sound` says, becomes the nearest sound that it was.
    """
    phrases = [match for match in _PHRASE.finditer(text) if match[0].strip()]
    pieces = [_pieces(text, phrase, stretches) for phrase in phrases]
    answers = _read_aloud([piece for group in pieces for piece in group], phonemize)

    ids = [*id_map[BEGIN], *id_map[PAD]]
    ends: list[tuple[int, int]] = []

    def add(phoneme: str) -> None:
        if phoneme in id_map:
            ids.extend((*id_map[phoneme], *id_map[PAD]))

    for index, (phrase, group) in enumerate(zip(phrases, pieces, strict=True)):
        for ordinal, piece in enumerate(group):
            spoken, alone = next(answers)
            if piece.stretch is not None:
                spoken = fitted(spoken, has_sound or id_map.__contains__)
                alone = [fitted(word, has_sound or id_map.__contains__) for word in alone]
            if ordinal and spoken:
                add(" ")
            places = dict(zip(split_words(spoken, alone), _word_ends(piece), strict=True))
            for at, phoneme in enumerate(spoken):
                if at in places:
                    ends.append((places[at], len(ids)))
                add(phoneme)
            if ordinal + 1 < len(group):
                ends.append((piece.start + len(piece.text.rstrip()), len(ids)))
        mark = phrase["mark"][:1].replace("…", ".")
        add(mark)
        ends.append((phrase.start() + len(phrase[0].rstrip()), len(ids)))
        if mark and index + 1 < len(phrases):
            add(" ")
    return PhonemeIds((*ids, *id_map[END]), tuple(ends))


def phonemes_of(
    text: str,
    phonemize: Phonemizer,
    *,
    stretches: Sequence[Stretch] = (),
    has_sound: Callable[[str], bool] | None = None,
) -> str:
    """The phonemes of a line with its marks, as in "həlˈoʊ, wˈɜːld.", for voices that read both."""
    phrases = [match for match in _PHRASE.finditer(text) if match[0].strip()]
    pieces = [_pieces(text, phrase, stretches) for phrase in phrases]
    answers = _read_aloud([piece for group in pieces for piece in group], phonemize)
    spoken = []
    for phrase, group in zip(phrases, pieces, strict=True):
        heard = [next(answers)[0] for _ in group]
        if has_sound is not None:
            heard = [fitted(one, has_sound) for one in heard]
        spoken.append(" ".join(filter(None, heard)) + phrase["mark"][:1])
    return " ".join(filter(None, spoken))


def _pieces(text: str, phrase: re.Match[str], stretches: Sequence[Stretch]) -> list[_Piece]:
    """A phrase cut where another language begins or ends. Sounds that are given count where their words begin."""
    cuts: list[tuple[int, int, Stretch | None]] = []
    at = phrase.start()
    for stretch in stretches:
        start, end = max(stretch.start, phrase.start()), min(stretch.end, phrase.end())
        if start >= end:
            continue
        cuts.append((at, start, None))
        is_begun = stretch.start < phrase.start()
        cuts.append((start, end, replace(stretch, ipa=" ") if stretch.ipa and is_begun else stretch))
        at = end
    cuts.append((at, phrase.end(), None))
    pieces = []
    for start, end, cut in cuts:
        part = text[start:end]
        words = tuple(_WORD.finditer(part))
        if any(_SPEAKABLE.search(word[0]) for word in words) or len(cuts) == 1:
            pieces.append(_Piece(start, part, cut, words))
    return pieces


def _word_ends(piece: _Piece) -> list[int]:
    if piece.stretch is not None and piece.stretch.ipa:
        return [piece.start + len(piece.text.rstrip())]
    return [piece.start + word.end() for word in piece.words]


def _read_aloud(pieces: Sequence[_Piece], phonemize: Phonemizer) -> Iterator[tuple[str, list[str]]]:
    """The phonemes of each piece, and those of each of its words said by itself."""
    asked: dict[str, list[str]] = {}
    for piece in pieces:
        if not (piece.stretch and piece.stretch.ipa):
            language = piece.stretch.language_code if piece.stretch else ""
            asked.setdefault(language, []).extend((piece.text.strip(), *(word[0] for word in piece.words)))
    answers = {language: iter(phonemize(texts, language)) for language, texts in asked.items()}

    def answer(language: str) -> str:
        return unicodedata.normalize("NFD", _SWITCH.sub("", next(answers[language])))

    for piece in pieces:
        if piece.stretch and piece.stretch.ipa:
            ipa = unicodedata.normalize("NFD", piece.stretch.ipa).strip()
            yield ipa, [ipa]
        else:
            language = piece.stretch.language_code if piece.stretch else ""
            yield answer(language), [answer(language) for _ in piece.words]


def split_words(spoken: str, alone: Sequence[str]) -> list[int]:
    """Return where in the phonemes of a phrase each of its words ends.

    Words usually lie between spaces, yet "of the" comes as one and "ATM" as three. `alone` holds each word's phonemes
    said by itself; the split whose lengths fit them best wins. The last word ends at the end.
    """
    groups = [(match.start(), match.end()) for match in _WORD.finditer(spoken)]
    if len(groups) == len(alone):
        return [end for _, end in groups]
    wanted = [len(phonemes.translate(_STRESS)) for phonemes in alone]
    sizes = [len(spoken[start:end].translate(_STRESS)) for start, end in groups]

    @cache
    def best(word: int, group: int) -> tuple[float, tuple[int, ...]]:
        """The cost of the words from `word` on over the groups from `group` on, and their ends."""
        if word == len(alone):
            return (0.0 if group == len(groups) else 1e6, ())
        options = []
        for n_groups in range(min(8, len(groups) - group) + 1):
            cost, rest = best(word + 1, group + n_groups)
            end = groups[group + n_groups - 1][1] if n_groups else (groups[group - 1][1] if group else 0)
            options.append((cost + abs(wanted[word] - sum(sizes[group : group + n_groups])), (end, *rest)))
        for n_words in range(2, min(4, len(alone) - word) + 1):
            if group < len(groups):
                cost, rest = best(word + n_words, group + 1)
                shares = wanted[word : word + n_words]
                ends = _share(groups[group], shares)
                options.append((cost + abs(sum(shares) - sizes[group]), (*ends, *rest)))
        return min(options)

    return list(best(0, 0)[1])


def _share(span: tuple[int, int], shares: Sequence[int]) -> tuple[int, ...]:
    """Split a span in proportion."""
    start, end = span
    total = sum(shares) or 1
    ends, sofar = [], 0
    for share in shares:
        sofar += share
        ends.append(start + round((end - start) * sofar / total))
    return tuple(ends)
