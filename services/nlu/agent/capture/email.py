"""E-mail addresses, as they are said and as recognisers write them. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from services.language.capture_words import cut, plain_letter
from services.language.dictation import Dictation, Kind, Sign
from services.nlu.agent.capture.form import Extent, after_leads, segments
from services.nlu.outputs import ExpectedKind

_WRITTEN = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_LOCAL = r"[a-z0-9](?:[a-z0-9_+-]|\.(?=[a-z0-9_+-])){0,63}"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_WHOLE = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+[a-z]{{2,24}}")  # RFC 5321 in what people have and can say
_LONGEST_LOCAL = 64
_PART = re.compile(r"[a-z0-9._+-]*@?[a-z0-9.-]*")
_MOST = 254
_RUN = re.compile(r"[a-z]+|\d+|.")
_LEAST_LIKE = 0.6  # difflib's ratio of a part and what is said in its place


class EmailForm:
    """Addresses in one language."""

    expects = ExpectedKind.ANSWER
    length = 0
    sizes: tuple[int, ...] = ()

    def __init__(self, dictation: Dictation) -> None:
        self._dictation = dictation
        marks = dictation.words.marks_said
        self.phrases: tuple[str, ...] = (marks["@"], marks["."], marks["_"], "gmail", "com")

    def read(self, text: str) -> tuple[str, ...]:
        if written := _WRITTEN.search(text):
            return (written.group().lower(),)
        found = ""
        for segment in segments(text, self._dictation):
            found = self._with_rest(found, self._address(segment))
        return (found,) if found else ()

    def extent(self, value: str) -> Extent:
        if _WHOLE.fullmatch(value) and len(value) <= _MOST:
            return Extent.WHOLE
        is_part = _PART.fullmatch(value) and ".." not in value and not value.startswith((".", "@"))
        is_short = len(value.partition("@")[0]) <= _LONGEST_LOCAL and len(value) <= _MOST
        return Extent.PART if is_part and is_short else Extent.WRONG

    def joined(self, before: str, new: str) -> tuple[str, ...]:
        if not before:
            return (new,)
        is_domain_missing = "@" not in before and "@" not in new and "." in new
        with_at = (f"{before}@{new}",) if is_domain_missing else ()
        return (*with_at, before + new, new)

    def final(self, value: str) -> str:
        return value

    def _with_rest(self, before: str, new: str) -> str:
        """Return what was said behind a repair: all of it again, the rest of it, or another domain."""
        if not before or not new or "@" in new:
            return new or before
        if before.endswith(("@", ".")):
            return before + new
        return f"{before.partition('@')[0]}@{new}" if "@" in before and "." in new else new

    def mended(self, value: str, text: str) -> tuple[str, ...]:
        """A whole address with the part of it said again that is most like what is said: "no, it's greenfield"."""
        found = []
        for segment in segments(text, self._dictation):
            piece = self._piece(segment)
            for start, end in _parts(value, is_whole="." in piece) if piece and "@" not in piece else ():
                likeness = SequenceMatcher(None, piece, value[start:end]).ratio()
                mended = value[:start] + piece + value[end:]
                if likeness >= _LEAST_LIKE and mended != value and self.extent(mended) is Extent.WHOLE:
                    found.append((likeness, mended))
        return tuple(mended for _, mended in sorted(found, reverse=True))

    def _piece(self, text: str) -> str:
        """A part of an address that is said alone, also as a plain word."""
        dictated = after_leads(self._with_domains(text), self._dictation)
        signs = self._without_trail(self._without_hesitation(self._dictation.signs(dictated)))
        written = "".join(sign.text for sign in signs if sign.kind not in (Kind.STOP, Kind.TONE))
        return "".join(map(self._plain, written)).lower()

    def _plain(self, letter: str) -> str:
        """A letter as an address has it."""
        return self._dictation.words.latin.get(letter.lower(), plain_letter(letter))

    def groups(self, value: str) -> tuple[str, ...]:
        local, at, domain = value.partition("@")
        return tuple(part for part in (local, at + domain) if part)

    def said(self, value: str, *, is_spelled: bool) -> str:
        """The words with their marks, then the letters of what stands before the @."""
        plain = " ".join(self._word(run) for run in _RUN.findall(value))
        local = value.partition("@")[0]
        letters = [self._letter(sign, is_spelled=is_spelled) for sign in local]
        return f"{plain}: {', '.join(letters)}" if letters else plain

    def _word(self, run: str) -> str:
        return self._dictation.words.marks_said.get(run, " ".join(run) if run.isdecimal() else run)

    def _letter(self, sign: str, *, is_spelled: bool) -> str:
        words = self._dictation.words
        if not sign.isalpha():
            return words.marks_said.get(sign, sign)
        return words.letters_said.get(sign, sign.upper()) if is_spelled else sign.upper()

    def _address(self, text: str) -> str:
        leads = self._dictation.words.lists["address_leads"]
        dictated = after_leads(self._with_domains(text), self._dictation, more=leads)
        signs = self._without_trail(self._without_hesitation(self._dictation.signs(dictated)))
        if not any(sign.kind in (Kind.MARK, Kind.LETTER, Kind.DIGIT) for sign in signs):
            return ""
        written = "".join(sign.text for sign in signs if sign.kind not in (Kind.STOP, Kind.TONE))
        return "".join(map(self._plain, written))

    def _without_hesitation(self, signs: Sequence[Sign]) -> list[Sign]:
        """Return what is dictated, without the fillers behind a stop: "at, um, example dot com"."""
        fillers = self._dictation.words.lists["fillers"]
        kept: list[Sign] = []
        for at, sign in enumerate(signs):
            is_behind_stop = at > 0 and signs[at - 1].kind is Kind.STOP
            if not (is_behind_stop and sign.kind is Kind.WORD and (sign.text.casefold(),) in fillers):
                kept.append(sign)
        return kept

    def _without_trail(self, signs: Sequence[Sign]) -> list[Sign]:
        """Return what is dictated, without the words that close it."""
        lists = self._dictation.words.lists
        texts = [sign.text.casefold() for sign in signs]
        end = len(signs)
        while end:
            closing = (*lists["trails"], (",",), (".",))
            n = next((len(words) for words in closing if tuple(texts[end - len(words) : end]) == words), 0)
            if not n or end == n:
                break
            end -= n
        return list(signs[:end])

    def _with_domains(self, text: str) -> str:
        """The text with names of providers as they are written."""
        texts, found, at = [piece.text for piece in cut(text)], [], 0
        joined = [piece.is_joined for piece in cut(text)]
        while at < len(texts):
            hit = next(
                (
                    (meant, len(words))
                    for words, meant in self._dictation.words.domains
                    if tuple(texts[at : at + len(words)]) == words
                ),
                (texts[at], 1),
            )
            found.append(("" if joined[at] else " ") + hit[0])
            at += hit[1]
        return "".join(found).strip()


def _parts(value: str, *, is_whole: bool) -> Iterator[tuple[int, int]]:
    """Yield where the parts of an address stand that may be said alone: before the @, behind it, and their pieces."""
    at = value.index("@") if "@" in value else len(value)
    yield 0, at
    yield at + 1, len(value)
    for match in re.finditer(r"[a-z0-9]+", "" if is_whole else value):
        yield match.span()
