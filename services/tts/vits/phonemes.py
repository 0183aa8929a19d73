"""Phonemes to the ids a Piper voice was trained on, and which of them belong to which word."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

BEGIN, PAD, END = "^", "_", "$"

_PHRASE = re.compile(r"[^.,;:!?…]*(?:[.,;:!?…](?!\s|$)[^.,;:!?…]*)*(?P<mark>[.,;:!?…]*)[\"'”’»)]*\s*")
_WORD = re.compile(r"\S+")
_STRESS = str.maketrans("", "", "ˈˌː ")


@dataclass(frozen=True, slots=True)
class PhonemeIds:
    """A line as a voice reads it."""

    ids: tuple[int, ...]
    word_ends: tuple[tuple[int, int], ...]  # (code points into the text, index of the first id behind the word)


def phoneme_ids(
    text: str, phonemize: Callable[[Sequence[str]], Sequence[str]], id_map: Mapping[str, Sequence[int]]
) -> PhonemeIds:
    """Read a line. `phonemize` gives the IPA of each text; `id_map` is the voice's own, with "^", "_" and "$".

    Every phrase is phonemised whole, so that words still bend to their neighbours, and each word by itself as well, to
    find where it lies in the phrase.
    """
    phrases = [match for match in _PHRASE.finditer(text) if match[0].strip()]
    words = [list(_WORD.finditer(phrase[0])) for phrase in phrases]
    asked = [phrase[0].strip() for phrase in phrases] + [word[0] for group in words for word in group]
    answers = [unicodedata.normalize("NFD", answer) for answer in phonemize(asked)]
    alone = iter(answers[len(phrases) :])

    ids = [*id_map[BEGIN], *id_map[PAD]]
    ends: list[tuple[int, int]] = []

    def add(phoneme: str) -> None:
        if phoneme in id_map:
            ids.extend((*id_map[phoneme], *id_map[PAD]))

    for index, (phrase, group) in enumerate(zip(phrases, words, strict=True)):
        spoken = answers[index]
        cuts = split_words(spoken, [next(alone) for _ in group])
        places = {cut: phrase.start() + word.end() for cut, word in zip(cuts, group, strict=True)}
        for at, phoneme in enumerate(spoken):
            if at in places:
                ends.append((places[at], len(ids)))
            add(phoneme)
        mark = phrase["mark"][:1].replace("…", ".")
        add(mark)
        ends.append((phrase.start() + len(phrase[0].rstrip()), len(ids)))
        if mark and index + 1 < len(phrases):
            add(" ")
    return PhonemeIds((*ids, *id_map[END]), tuple(ends))


def split_words(spoken: str, alone: Sequence[str]) -> list[int]:
    """Where in the phonemes of a phrase each of its words ends.

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
