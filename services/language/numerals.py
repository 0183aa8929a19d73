"""Numbers read from words, the way back of reading aloud: "ba trăm năm mươi nghìn" is 350000.

number_words.py reads the words of each language.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.language.number_words import GROUP, NumberWords, number_words
from services.language.words import normalise

SMALLEST_WITH_TAIL = 100  # of the multipliers
LONGEST_FIGURES = 1000  # digits; what is longer is no number
_LONGEST_FRACTION = 8  # words
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_SEPARATOR = re.compile("[.,]")
_DECIMAL = re.compile(r"\d+[.,]\d{1,2}")


@dataclass(frozen=True, slots=True)
class Found:
    """A number in a text: its value, and the words it was said in (`end` is behind the last)."""

    value: int
    start: int
    end: int


def find_numbers(text: str, language_code: str) -> list[Found]:
    """The numbers of a text in words or figures, in order. Digits said one by one are a number each."""
    words, known = normalise(text), number_words(language_code)
    figures = _figures(text)
    found: list[Found] = []
    at = 0
    while at < len(words):
        numbers = _numbers_at(words, at, known, figures, before=found[-1] if found else None)
        found += numbers
        at = numbers[-1].end if numbers else at + 1
    return found


def read_number(text: str, language_code: str) -> int | None:
    """The value of a text that is one number and nothing else."""
    found = find_numbers(text, language_code)
    return found[0].value if len(found) == 1 and found[0].end - found[0].start == len(normalise(text)) else None


def _figures(text: str) -> dict[int, str]:
    """Figures with a point or a comma in them, by the index of their first word."""
    found, at = {}, 0
    end = 0
    for match in _FIGURES.finditer(text):
        at += len(normalise(text[end : match.start()]))
        n_words = len(normalise(match.group()))
        if n_words > 1:
            found[at] = match.group()
        at, end = at + n_words, match.end()
    return found


_NO_MULTIPLIER = 10**18


class _Reading:
    """A number on its way: whole groups, the group that is open, and the last multiplier."""

    def __init__(self, known: NumberWords) -> None:
        self.largest_group = known.group
        self.drops_thousands = known.drops_thousands
        self.has_teens = 11 in known.units.values()  # "eleven" is a word of its own
        self.total = 0
        self.group = 0
        self.has_group = False  # a zero is one too
        self.smallest = _NO_MULTIPLIER  # of those that closed a group
        self.last = 1

    def add(self, value: int) -> bool:
        """A unit joins the open group if its place is empty there. False: it begins a number of its own."""
        place = 10 if value < 10 else 100 if value < 100 else self.largest_group
        if self.has_group and (self.group % place or self.group == 0):
            return False
        if self.has_group and 10 < self.group % 100 < 20 and value < 10:
            return False
        if self.has_group and self.group % 100 == 10 and self.last == 1 and self.has_teens:  # "десять девять"
            return False
        self.group += value
        self.has_group = True
        self.last = 1
        return True

    def is_closed_to(self, multiplier: int) -> bool:
        """A unit that this is behind begins a number of its own: the second "ba" of "hai mươi ba mươi"."""
        is_inside = 1 < multiplier < self.largest_group
        return is_inside and self.group >= multiplier and self.group % (10 * multiplier) > 0

    def multiply(self, multiplier: int) -> bool:
        """A power of ten behind a unit or a group. False: it cannot stand here."""
        if multiplier < self.largest_group:
            times = self.group % multiplier  # "twenty-five hundred", "一百二十"
            if self.group and (times == 0 or (self.group - times) % (10 * multiplier)):
                return False
            self.group += (times or 1) * multiplier - times
        else:
            if not self.has_group and not (self.total == 0 and self.smallest == _NO_MULTIPLIER):
                return False
            if multiplier > self.smallest:  # 一万亿: a myriad of hundred millions
                self.group, self.total = self.total + self.group, 0
            self.total += (self.group if self.has_group or self.group else 1) * multiplier
            self.smallest, self.group, self.has_group = multiplier, 0, False
            self.last = multiplier
            return True
        self.has_group = True
        self.last = multiplier
        return True

    def value(self, tail: int = 0) -> int:
        """Return the value: behind millions hundreds are of thousands, "hai triệu ba trăm", and so is their tail."""
        rest = self.group + tail
        if self.drops_thousands and self.group >= GROUP // 10 and GROUP**2 <= self.smallest < _NO_MULTIPLIER:
            rest *= self.smallest // GROUP
        return self.total + rest


def _numbers_at(
    words: Sequence[str], at: int, known: NumberWords, figures: Mapping[int, str], *, before: Found | None
) -> list[Found]:
    """The number that begins at a word, the digits of a repeat, or nothing."""
    word, follower = words[at], _word(words, at + 1)
    is_beside = (before is not None and before.end == at) or known.is_surely_number(follower)
    if word in known.repeats:
        return _repeated(words, at, known)
    if word.isdecimal():
        return _in_figures(words, at, figures.get(at, word), known)
    if word in known.digit_words:
        return [Found(known.digit_words[word], at, at + 1)] if is_beside else []
    if word in known.doubtful and not is_beside and len(words) > 1:
        return []
    if half := _half(words, at, known):
        return [half]
    number = _one_and_a_half(words, at, known) or _in_words(words, at, known)
    return [_with_fraction(words, number, known)] if number else []


def _repeated(words: Sequence[str], at: int, known: NumberWords) -> list[Found]:
    """Digits said as one: "double five"."""
    said = _word(words, at + 1)
    digit = int(said) if said.isdecimal() and len(said) == 1 else known.units.get(said, known.digit_words.get(said, 10))
    return [Found(digit, at, at + 2)] * known.repeats[words[at]] if digit < 10 else []


def _one_and_a_half(words: Sequence[str], at: int, known: NumberWords) -> Found | None:
    multiplier = known.multipliers.get(_word(words, at + 1))
    is_said = words[at] in known.one_and_halves and multiplier is not None
    return Found(multiplier * 3 // 2, at, at + 2) if is_said and multiplier else None


def _half(words: Sequence[str], at: int, known: NumberWords) -> Found | None:
    """Half of a multiplier: "half a million"."""
    for saying in known.halves_before:
        end = at + len(saying)
        multiplier = known.multipliers.get(_word(words, end), 0)
        if multiplier >= SMALLEST_WITH_TAIL and tuple(words[at:end]) == tuple(saying):
            return Found(multiplier // 2, at, end + 1)
    return None


def _with_fraction(words: Sequence[str], whole: Found, known: NumberWords) -> Found:
    """The number with its fraction and the multiplier of both, or as it is: "two point five million"."""
    for saying in known.and_halves:
        end = whole.end + len(saying)
        multiplier = known.multipliers.get(_word(words, end), 0)
        if multiplier >= SMALLEST_WITH_TAIL and tuple(words[whole.end : end]) == tuple(saying):
            return Found(whole.value * multiplier + multiplier // 2, whole.start, end + 1)
    if _word(words, whole.end) not in known.points:
        return whole
    fraction, parts, end = _fraction(words, whole.end + 1, known)
    multiplier = known.multipliers.get(_word(words, end), 0)
    if not parts or multiplier < SMALLEST_WITH_TAIL or fraction >= parts or fraction * multiplier % parts:
        return whole
    return Found(whole.value * multiplier + fraction * multiplier // parts, whole.start, end + 1)


def _fraction(words: Sequence[str], at: int, known: NumberWords) -> tuple[int, int, int]:
    """A fraction, what it is a part of, and where it ends; parts are 0 where none stands there."""
    digits, end = "", at
    while (digit := known.units.get(_word(words, end), 10)) < 10:
        digits, end = f"{digits}{digit}", end + 1
    goes_on = _word(words, end) in known.units or 1 < known.multipliers.get(_word(words, end), 1) < SMALLEST_WITH_TAIL
    if not digits or goes_on:  # "mười bốn", "двадцать пять"
        behind = words[at : at + _LONGEST_FRACTION]
        large = (place for place, word in enumerate(behind) if known.multipliers.get(word, 0) >= SMALLEST_WITH_TAIL)
        stop = at + next(large, len(behind))
        number = _in_words(words[:stop], at, known) if stop > at else None
        if number is None:
            return 0, 0, at
        digits, end = str(number.value), number.end
    if parts := known.parts.get(_word(words, end)):
        return int(digits), parts, end + 1
    return int(digits), 0 if known.parts else 10 ** len(digits), end


def _in_figures(words: Sequence[str], at: int, written: str, known: NumberWords) -> list[Found]:
    """Figures with a multiplier or none: "350,000", "3.5 million". Others with separators are their runs of digits."""
    parts = _SEPARATOR.split(written)
    if len(written) > LONGEST_FIGURES:
        return []
    digits, end = int("".join(parts)), at + len(parts)
    times, behind = 1, end
    while multiplier := known.multipliers.get(_word(words, behind)):
        times, behind = times * multiplier, behind + 1
    if len(parts) == 1 or (_GROUPED.fullmatch(written) and not written.startswith("0")):
        return [_with_rest(words, Found(digits * times, at, behind), times, known)]
    if times >= GROUP and _DECIMAL.fullmatch(written):
        return [Found(digits * times // 10 ** len(parts[1]), at, behind)]
    return [Found(int(part), at + place, at + place + 1) for place, part in enumerate(parts)]


def _with_rest(words: Sequence[str], number: Found, times: int, known: NumberWords) -> Found:
    """Figures with smaller multipliers behind, and a tail: "1 triệu 200 nghìn", "1万2千", "2万5"."""
    value, end = number.value, number.end
    while times >= SMALLEST_WITH_TAIL and _word(words, end).isdecimal():
        figures, multiplier = words[end], known.multipliers.get(_word(words, end + 1), 1)
        if 1 < multiplier < times and len(figures) <= len(str(times // multiplier)) - 1:
            value, end, times = value + int(figures) * multiplier, end + 2, multiplier
            continue
        if multiplier == 1 and len(figures) == 1 and known.tails and not _word(words, end + 1).isdecimal():
            value, end = value + int(figures) * times // 10, end + 1
        elif multiplier == 1 and len(figures) == len("000") and known.drops_thousands and times >= GROUP**2:
            value, end = value + int(figures) * times // GROUP, end + 1  # "2tr350"
        break
    return Found(value, number.start, end)


def _in_words(words: Sequence[str], start: int, known: NumberWords) -> Found | None:
    if not _may_begin(words, start, known):
        return None
    reading, at, end = _Reading(known), start, start
    if words[start] in known.ones:
        at += 1
    while at < len(words):
        if ended := _last_part(words, start, at, known, reading):
            return ended
        n_words = _next_part(words, at, known, reading, is_first=at == start)
        if n_words == 0:
            break
        at += n_words
        if words[at - 1] not in known.joiners:
            end = at
    return Found(reading.value(), start, end) if end > start else None


def _last_part(words: Sequence[str], start: int, at: int, known: NumberWords, reading: _Reading) -> Found | None:
    """A number that ends with this word, for nothing can follow it: a half, a tail, a unit behind tens."""
    word, follower = words[at], _word(words, at + 1)
    if word in known.halves and reading.last > 1:
        return Found(reading.total + reading.group + reading.last // 2, start, at + 1)
    if word in known.after_tens and at == start + 1 and 1 < reading.group < 10:
        return Found(reading.group * 10 + known.units[word], start, at + 1)
    goes_on = follower in known.units or follower in known.multipliers or follower in known.halves
    goes_on = goes_on and not _is_article(words, at + 1, known)
    if word in known.tails and reading.last >= SMALLEST_WITH_TAIL and not goes_on:
        return Found(reading.value(known.tails[word] * reading.last // 10), start, at + 1)
    return None


def _next_part(words: Sequence[str], at: int, known: NumberWords, reading: _Reading, *, is_first: bool) -> int:
    """Takes the next words into a number; how many they are, 0 for none."""
    word, follower = words[at], _word(words, at + 1)
    if word in known.units:
        value = known.units[word]
        if value == 0 and not is_first:
            is_digit, reading.last = known.zero_fills and reading.last == 1, 1  # said one by one: 九零八
            return 0 if is_digit else _empty_place(follower, known, reading)
        is_article = reading.last >= SMALLEST_WITH_TAIL and _is_article(words, at, known)
        if is_article or reading.is_closed_to(known.multipliers.get(follower, 1)):
            return 0
        return 1 if reading.add(value) else 0
    if word in known.multipliers:
        return 1 if reading.multiply(known.multipliers[word]) else 0
    if word in known.joiners and not is_first and follower in known.units:
        reading.last = 1
        return 1
    return 0


def _is_article(words: Sequence[str], at: int, known: NumberWords) -> bool:
    """Return whether "one" stands before a noun, and in no number: "một triệu một đêm" is a million a night. Behind a
    multiplier it counts nothing where tails have a word of their own for it, "mốt".
    """
    word, follower = _word(words, at), _word(words, at + 1)
    is_one = known.drops_thousands and known.units.get(word) == 1 and word not in known.tails
    return is_one and not (follower in known.units or follower in known.multipliers or follower in known.halves)


def _may_begin(words: Sequence[str], at: int, known: NumberWords) -> bool:
    word, follower = words[at], _word(words, at + 1)
    if word in known.units:
        return True
    if word in known.ones:
        return follower in known.multipliers
    return word in known.multipliers and (known.bare or follower in known.halves or follower in known.tails)


def _empty_place(follower: str, known: NumberWords, reading: _Reading) -> int:
    """Return the number of words for an empty place inside a number, zero first: "零", "không trăm"; 0: none."""
    if known.zero_fills:
        return 1 if follower in known.units or follower in known.multipliers else 0
    if known.multipliers.get(follower) == GROUP < reading.smallest and not reading.has_group:  # "không nghìn"
        reading.smallest = GROUP
        return 2
    return 2 if known.multipliers.get(follower) == 100 and not reading.has_group else 0


def _word(words: Sequence[str], at: int) -> str:
    return words[at] if at < len(words) else ""
