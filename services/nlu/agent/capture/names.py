"""Names of callers: found among the words around them, or spelled letter by letter. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from services.language.capture_words import cut
from services.language.dictation import Dictation, Kind, Sign, starts_with, tone_of, with_tone, without_tone
from services.language.phrases import fold
from services.language.script import script_of
from services.language.words import normalise, without_marks
from services.nlu.agent.capture.form import Extent, after_leads, without_leads_behind
from services.nlu.agent.graph.asking import Asking
from services.nlu.outputs import ExpectedKind

LONGEST_NAME = 5  # words
_QUESTION_MARKS = ("?", "？")
_CLAUSE = re.compile(r"\s*[,;.!，；。！]\s*")
_STOPS = tuple(".,;:!?，。；！？")
_TITLED = 3  # words of a name with a title before it
_LEAST_RUN = 3  # single letters in a row that spell a word
_FEWEST_SPELLED = 2  # letters of a run that is a spelled word
_LEAST_SAME = 0.6  # of one word of a name that is said again by itself
_LEAST_LIKE = 0.5  # of a word and the same word spelled


class NameFinder:
    """Finds a caller's name in what they say, in one language."""

    def __init__(self, language_code: str, lists: Asking) -> None:
        self._lists = lists
        self.is_spaced = script_of(language_code).is_spaced
        self._border = " " if self.is_spaced else ""

    def name_in(self, text: str, *, is_asked: bool) -> str:
        """A name: behind words that announce one, or where it was asked for what a short answer has left. Of one
        that is begun and said again whole ("Bond, James Bond") the whole.
        """
        text = self._without_spelling(self.without_remarks(text))
        name = self._first_in(text, is_asked=is_asked)
        return self._said_whole(name, text) or name

    def without_remarks(self, text: str) -> str:
        """A text without what it says of single letters: "Kathryn with a K"."""
        words = text.split()
        plain = [" ".join(normalise(word)) for word in words]
        for at in range(1, len(words)):
            lead = next((one for one in self._lists.letter_remarks if tuple(plain[at : at + len(one)]) == one), ())
            start = end = at + len(lead)
            while lead and end < len(words) and len(plain[end]) == 1 and plain[end].isalpha():
                end += 1
                if not words[end - 1][-1:].isalpha():
                    break
            if end > start:
                stop = words[end - 1][-1:] if not words[end - 1][-1:].isalpha() else ""
                return self.without_remarks(" ".join([*words[: at - 1], words[at - 1] + stop, *words[end:]]))
        return text

    def _without_spelling(self, text: str) -> str:
        """A text without letters that are spelled, and without the word before them that they spell: "Thị Dung, Dung
        là D, U, N, G".
        """
        words = text.split()
        plain = [" ".join(normalise(word)) for word in words]
        runs = (
            at
            for at in range(len(words) - _LEAST_RUN + 1)
            if self.is_spaced and all(len(word) == 1 and word.isalpha() for word in plain[at : at + _LEAST_RUN])
        )
        start = next(runs, 0)
        if not start:
            return text
        end = next((at for at in range(start, len(words)) if len(plain[at]) != 1), len(words))
        before = start - any((plain[start - 1],) == lead for lead in self._lists.name_leads)
        if before > 1 and plain[before - 1] in plain[: before - 1]:
            before -= 1
        return " ".join([*words[:before], *words[end:]])

    def _said_whole(self, name: str, text: str) -> str:
        """The clause behind a name that holds it and more; empty: there is none."""
        first = set(normalise(name))
        trails = {trail for trail in self._lists.name_trails if len(trail) == 1}
        for clause in _CLAUSE.split(text)[1:] if first and self.is_spaced else ():
            words = [word for word in clause.split() if normalise(word) not in trails]
            if len(first) < len(words) <= LONGEST_NAME and first < set(normalise(" ".join(words))):
                whole = self._first_in(" ".join(words), is_asked=True)
                if first < set(normalise(whole)):
                    return whole
        return ""

    def _first_in(self, text: str, *, is_asked: bool) -> str:
        """The first name in a text."""
        words, lists = self._given(self._words_of(text)), self._lists
        plain = [" ".join(normalise(word)) for word in words]
        if is_asked and not text.rstrip().endswith(_QUESTION_MARKS):
            n_leading = self._n_leading(words, plain)
            words, plain = words[n_leading:], plain[n_leading:]
        start = 0
        for lead in lists.name_leads:
            found = next((at for at in range(len(plain)) if tuple(plain[at : at + len(lead)]) == lead), None)
            if found is not None and (is_asked or len(lead) > 1):
                start = found + len(lead)
                break
        while start and (
            lead := next((one for one in lists.name_leads if tuple(plain[start : start + len(one)]) == one), ())
        ):
            start += len(lead)  # "it's for Ann"
        if not start and not is_asked:
            return ""
        kept: list[str] = []
        for word, said in zip(words[start:], plain[start:], strict=True):
            if kept and any((said,) == joint for joint in lists.joints):
                break
            is_small = any((said,) == trail for trail in lists.name_trails)
            is_small = is_small and not (kept and self._is_written_as_name([*kept, word]))  # "Vũ Thị Dạ Hương"
            if not is_small and said and not any(c.isdigit() for c in said):
                kept.append(word.strip(".,;:!?\"'，。！？"))
            elif kept:
                break
            if word[-1:] in ".,;!?" and kept:
                break
        if len(kept) >= _TITLED and normalise(kept[0]) in lists.titles:  # "Chị Phan Mỹ Dung"
            kept = kept[1:]
        said_name = tuple(normalise(" ".join(kept)))
        is_none = any(said_name[: len(never)] == never for never in lists.never_names)
        is_sentence = not start and bool(self._border) and not self._is_written_as_name(kept)  # "Amy Book" is a name
        is_none = is_none or ((is_sentence or not self.is_spaced) and _has_any(said_name, lists.never_names))
        if not kept or len(kept) > LONGEST_NAME or is_none or text.rstrip().endswith(_QUESTION_MARKS):
            return ""
        return self._border.join(word[:1].upper() + word[1:] for word in kept)

    def _is_written_as_name(self, words: Sequence[str]) -> bool:
        """Return whether several words all begin with a capital, where the script has them."""
        return len(words) > 1 and all(word[:1].isupper() for word in words)

    def _given(self, words: list[str]) -> list[str]:
        """The words of a sentence before "is the name", where it ends so; else all of them."""
        plain = [" ".join(normalise(word)) for word in words]
        for behind in self._lists.names_behind:
            at = len(words) - len(behind)
            if at > 0 and tuple(plain[at:]) == behind:
                stops = [place for place in range(at - 1) if words[place][-1:] in _STOPS]
                return words[stops[-1] + 1 if stops else 0 : at]
        return words

    def _n_leading(self, words: Sequence[str], plain: Sequence[str]) -> int:
        """Return how many words a turn agrees or begins with, a stop behind them, before it says anything: "Right.
        Ann".
        """
        lists, at = self._lists, 0
        while lead := next(
            (
                phrase
                for phrase in (*lists.agreements, *lists.preambles)
                if phrase and tuple(plain[at : at + len(phrase)]) == phrase
            ),
            (),
        ):
            end = at + len(lead)
            if end >= len(words) or words[end - 1][-1:] not in _STOPS:
                break
            at = end
        return at

    def _words_of(self, text: str) -> list[str]:
        """The words as written; signs of a script without spaces by themselves."""
        if self._border:
            return text.split()
        return [word for word in re.split(r"(?<=[\W\u3000-\u9fff])|\s+", text) if word.strip()]


class NameForm:
    """Names in one language: said, spelled, or both."""

    expects = ExpectedKind.ANSWER
    length = 0
    phrases: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def __init__(self, dictation: Dictation, finder: NameFinder) -> None:
        self._dictation, self._finder = dictation, finder

    def read(self, text: str) -> tuple[str, ...]:
        text = self._finder.without_remarks(text)
        signs = self._dictation.signs(text)
        spelled, first = self._spelled(signs)
        before = fold(text)
        if spelled:
            pieces = cut(text)
            before = before[: pieces[first].start].rstrip(" ,.:;-")
            if not after_leads(before, self._dictation):  # "it's spelled", "Ngô Thị Dung, Dung là"
                before = self._spelled_of(without_leads_behind(before, self._dictation), spelled)
        name = self._finder.name_in(before, is_asked=True) if before else ""
        if not spelled:
            return (name,) if name else ()
        return (self._joined_words(name.split(), spelled),)

    def _spelled_of(self, before: str, spelled: Sequence[str]) -> str:
        """The words before a spelled name, where they are the name that is spelled; else empty."""
        name = self._finder.name_in(before, is_asked=True) if before else ""
        likeness = [_alike(word, other) for word in name.split() for other in spelled]
        return name if likeness and max(likeness) >= _LEAST_LIKE else ""

    def extent(self, value: str) -> Extent:
        is_name = bool(value) and len(value.split()) <= LONGEST_NAME and any(c.isalpha() for c in value)
        return Extent.WHOLE if is_name else Extent.WRONG

    def joined(self, before: str, new: str) -> tuple[str, ...]:
        """A new name, or one word of it said again; a name spelled in one run has the words of the one before."""
        words = before.split()
        likeness = [_alike(word, new) for word in words]
        if len(words) > 1 and " " not in new and max(likeness) >= _LEAST_SAME:
            return (" ".join([*words[: (at := likeness.index(max(likeness)))], new, *words[at + 1 :]]),)
        if len(words) != 2 or " " in new or _alike(words[0], new) > _alike("".join(words), new):
            return (new,)
        cuts = range(1, len(new))
        at = max(cuts, key=lambda n: _alike(words[0], new[:n]) + _alike(words[1], new[n:]), default=0)
        if _alike("".join(words), new) < _LEAST_LIKE or not at:
            return (new,)
        return (f"{_capital(new[:at])} {_capital(new[at:])}",)

    def final(self, value: str) -> str:
        return value

    def groups(self, value: str) -> tuple[str, ...]:
        return tuple(value.split())

    def said(self, value: str, *, is_spelled: bool) -> str:
        if not is_spelled:
            return value
        letters = "; ".join(", ".join(self._letters(word)) for word in value.split())
        return f"{value}: {letters}"

    def _letters(self, word: str) -> list[str]:
        said, words = [], self._dictation.words
        tone = ""
        for letter in word.lower():
            mark = tone_of(letter) if words.tones_said else ""
            plain = without_tone(letter) if mark else letter
            said.append(words.letters_said.get(plain) or words.letters_said.get(without_marks(plain), plain.upper()))
            tone = mark or tone
        return [*said, words.tones_said[tone]] if tone else said

    def _spelled(self, signs: Sequence[Sign]) -> tuple[list[str], int]:
        """The words that are spelled, and where the first of them begins."""
        words: list[str] = []
        letters, first = "", 0
        texts = [sign.text.casefold() for sign in signs]
        ends_word = self._stops_end_words(signs)
        for at, sign in enumerate(signs):
            if sign.kind is Kind.LETTER:
                first = first if words or letters else sign.start
                letters += sign.text
            elif sign.kind is Kind.TONE and letters:
                words, letters = [*words, with_tone(letters, sign.text)], ""
            elif sign.kind is Kind.STOP and sign.text in ",.-;" and letters and not ends_word:
                continue
            elif letters:
                is_word = len(letters) >= _FEWEST_SPELLED or bool(
                    starts_with(texts, at, self._dictation.words.separators)
                )
                words, letters = [*words, letters] if is_word else words, ""
        if letters and (words or len(letters) >= _FEWEST_SPELLED):
            words.append(letters)
        return [_capital(word) for word in words], first

    def _stops_end_words(self, signs: Sequence[Sign]) -> bool:
        """Return whether stops stand between spelled words, not between their letters: most letters have none behind
        them.
        """
        following = [b.kind for a, b in pairwise(signs) if a.kind is Kind.LETTER and b.kind in (Kind.LETTER, Kind.STOP)]
        return following.count(Kind.STOP) < following.count(Kind.LETTER)

    def _joined_words(self, words: list[str], spelled: Sequence[str]) -> str:
        """The words that were said, with those that were spelled in place of what sounds like them."""
        for word in spelled:
            likeness = [_alike(word, other) for other in words]
            if likeness and max(likeness) >= _LEAST_LIKE:
                words[likeness.index(max(likeness))] = word
            else:
                words.append(word)
        return " ".join(words)


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, without_marks(one).lower(), without_marks(other).lower()).ratio()


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:].lower()


def _has_any(words: Sequence[str], phrases: Sequence[tuple[str, ...]]) -> bool:
    return any(tuple(words[at : at + len(phrase)]) == phrase for phrase in phrases for at in range(len(words)))
