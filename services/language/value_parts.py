"""The parts that values are made of: whole phrases ("thursday", "noon"), and numbers in words and figures. Sans-IO."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from services.language.calendar_words import CalendarWords, calendar_words
from services.language.number_words import NumberWords, number_words
from services.language.numerals import find_numbers
from services.language.phrases import Token, tokens_of
from services.language.value import Kind, Value
from services.language.value_words import ValueWords, value_words

HALF_DAY = 12 * 60
DAY = 24 * 60
LONGEST_FIGURES = 18  # digits of a number; longer ones are dialled
_YEARS = range(1900, 2101)


@dataclass(frozen=True, slots=True)
class PartedText:
    """A text with the parts of values in it."""

    tokens: tuple[Token, ...]
    texts: tuple[str, ...]
    parts: Mapping[int, Value]  # by first token
    words: CalendarWords
    amounts: ValueWords

    def length(self, name: str, at: int) -> int:
        """Return how many tokens the longest phrase of a list has here; 0: none begins here."""
        return self.words.length(name, self.texts, at)

    def part(self, at: int, kind: Kind = Kind.NUMBER) -> Value | None:
        """The part of a kind that begins here; None: none does."""
        part = self.parts.get(at)
        return part if part is not None and part.kind is kind else None

    def stands_before(self, name: str, at: int) -> bool:
        """Return whether a phrase of a list ends right before a token."""
        return any(self.length(name, at - n) == n for n in range(1, 4) if at >= n)

    def is_year(self, number: Value) -> bool:
        return number.digits.isdecimal() and len(number.digits) == 4 and int(number.digits) in _YEARS

    def ends_time(self, at: int) -> bool:
        """Return whether a number before a token may be a time or a day: no other number or noun follows."""
        if at >= len(self.texts) or self.tokens[at].kind == "stop" or at in self.parts:
            return at not in self.parts or self.parts[at].kind is not Kind.NUMBER
        return bool(self.length("after_times", at) or self.length("range_words", at) or self.length("hour_words", at))

    def is_time_unit(self, number: Value) -> bool:
        """Return whether a unit of time or of money stands behind a number."""
        names = ("minute_units", "hour_units", "day_words", "week_words", "month_words", "year_words")
        has_currency = self.amounts.currencies.at(self.texts, number.end) is not None
        return has_currency or any(self.length(name, number.end) for name in names)


def parted(text: str, language_code: str) -> PartedText:
    """Return a text with its parts. Raises LanguageDataError."""
    tokens = tuple(tokens_of(text))
    texts = tuple(token.text for token in tokens)
    words, amounts = calendar_words(language_code), value_words(language_code)
    phrases = phrases_in(texts, words, amounts)
    return PartedText(tokens, texts, phrases | numbers_in(tokens, phrases, language_code), words, amounts)


def phrases_in(texts: tuple[str, ...], words: CalendarWords, amounts: ValueWords) -> dict[int, Value]:
    """Values that are whole phrases, by their first token; the longest at each place."""
    found: dict[int, Value] = {}
    at = behind = 0
    last: Kind | None = None  # of the phrase before: "下午一点" is one o'clock, and no "一点"
    while at < len(texts):
        best = _phrase_at(texts, at, words, amounts)
        is_hour = best is not None and best.kind is Kind.NONE and last is Kind.PART and at == behind
        if best is None or is_hour or (at > behind and _ends_number(texts, best, amounts.numbers)):
            at += 1
            continue
        found[at] = best
        at = behind = best.end
        last = best.kind
    return found


def _ends_number(texts: tuple[str, ...], phrase: Value, numbers: NumberWords) -> bool:
    """Return whether a word belongs to the number before: "mốt", the day after tomorrow, is the one of "ba mươi mốt".

    What names no number is one too behind a unit: "千万" of "两千万", "万一" of "三万一千".
    """
    word, before = texts[phrase.start], texts[phrase.start - 1]
    if phrase.kind is Kind.NONE:
        if word in numbers.units and before in numbers.multipliers:  # "一点" of "十一点"
            return True
        return word in numbers.multipliers and (before in numbers.units or before.isdecimal())
    is_one_word = phrase.kind is Kind.DAY and phrase.end - phrase.start == 1
    return is_one_word and word in numbers.after_tens and before in numbers.units.keys() | numbers.multipliers.keys()


def _phrase_at(texts: tuple[str, ...], at: int, words: CalendarWords, amounts: ValueWords) -> Value | None:
    candidates: list[Value] = []
    if hit := words.weekdays.at(texts, at):
        candidates.append(Value(Kind.WEEKDAYS, at, at + hit[0], days=hit[1]))
    if part := words.day_parts.at(texts, at):
        candidates.append(Value(Kind.PART, at, at + part[0], part=part[1]))
    if time := words.times.at(texts, at):
        minutes = frozenset({time[1], time[1] + DAY}) if time[1] == 0 else frozenset({time[1]})
        candidates.append(Value(Kind.TIME, at, at + time[0], minutes=minutes))
    if half := words.halves_joined.at(texts, at):
        candidates.append(Value(Kind.TIME, at, at + half[0], minutes=frozenset({half[1], half[1] + HALF_DAY})))
    if holiday := words.holidays.at(texts, at):
        candidates.append(Value(Kind.DATE, at, at + holiday[0], date=(None, *holiday[1])))
    if length := words.length("any_holiday", texts, at):
        candidates.append(Value(Kind.DATE, at, at + length, part="holiday"))
    if day := words.relative_days.at(texts, at):
        candidates.append(Value(Kind.DAY, at, at + day[0], number=Decimal(day[1])))
    if month := words.months.at(texts, at):
        candidates.append(Value(Kind.MONTH, at, at + month[0], number=Decimal(month[1])))
    if ordinal := words.ordinals.at(texts, at):
        candidates.append(Value(Kind.ORDINAL, at, at + ordinal[0], number=Decimal(ordinal[1])))
    if length := words.length("half_units", texts, at):
        candidates.append(Value(Kind.DURATION, at, at + length, number=Decimal(30)))
    if length := amounts.free_of_charge.length(texts, at):
        candidates.append(Value(Kind.MONEY, at, at + length))
    if (length := amounts.not_numbers.length(texts, at)) and not (at and words.length("minutes_to", texts, at - 1)):
        candidates.append(Value(Kind.NONE, at, at + length))
    return max(candidates, key=lambda value: value.end, default=None)


def numbers_in(tokens: Sequence[Token], calendar: Mapping[int, Value], language_code: str) -> dict[int, Value]:
    """Numbers in words and figures between those phrases, by their first token."""
    found: dict[int, Value] = {}
    covered = {at for value in calendar.values() for at in range(value.start, value.end)}
    at = 0
    while at < len(tokens):
        if at in covered or not _may_be_number(tokens[at]):
            if at not in covered and tokens[at].kind in ("clock", "date", "figures"):
                written = [_multiplied(value, tokens, language_code) for value in _written(tokens[at], at)]
                found |= {value.start: value for value in written}
                at = written[-1].end if written else at + 1
                continue
            at += 1
            continue
        end = at
        while end < len(tokens) and end not in covered and _may_be_number(tokens[end]):
            end += 1
        found |= _numbers_in(tokens, at, end, language_code)
        at = end
    return found


def _may_be_number(token: Token) -> bool:
    return token.kind == "word" or (token.kind == "figures" and _whole(token.text) is not None)


def _whole(figures: str) -> int | None:
    """The value of figures with or without separators of groups; None for one with decimals."""
    separators = {character for character in figures if character in ".,"}
    parts = figures.replace(",", ".").split(".")
    if len(parts) == 1:
        return int(figures) if len(figures) <= LONGEST_FIGURES else None
    if len(separators) == 1 and len(parts[0]) <= 3 and parts[0] != "0" and all(len(part) == 3 for part in parts[1:]):
        return int("".join(parts))
    return None


def _written(token: Token, at: int) -> list[Value]:
    """Values in figures with signs inside: 10:30, 25/12, 3.5."""
    if token.kind == "clock":
        hour, _, minute = token.text.replace("h", ":").partition(":")
        return [clock(int(hour), int(minute), at, at + 1)] if int(hour) <= 24 else []
    if token.kind == "date":
        return [Value(Kind.DATE, at, at + 1, digits=token.text)]
    whole, _, decimals = token.text.replace(",", ".").rpartition(".")
    if whole and whole.isdecimal():
        return [Value(Kind.NUMBER, at, at + 1, number=Decimal(f"{whole}.{decimals}"), digits=token.text)]
    return [Value(Kind.DIGITS, at, at + 1, digits="".join(c for c in token.text if c.isdecimal()))]


def _multiplied(value: Value, tokens: Sequence[Token], language_code: str) -> Value:
    """A decimal and its multiplier, where they make a whole number: "2.5 million"."""
    multipliers, number, end = number_words(language_code).multipliers, value.number, value.end
    while value.kind is Kind.NUMBER and end < len(tokens) and (times := multipliers.get(tokens[end].text)):
        number, end = number * times, end + 1
    is_whole = end > value.end and number == number.to_integral_value()
    return replace(value, number=number.to_integral_value(), end=end, digits="") if is_whole else value


def clock(hour: int, minute: int, start: int, end: int) -> Value:
    at = hour * 60 + minute
    is_plain = hour > 12 or hour == 0
    return Value(
        Kind.TIME, start, end, minutes=frozenset({at % (DAY + 1)} if is_plain else {at, (at + HALF_DAY) % DAY})
    )


def _numbers_in(tokens: Sequence[Token], start: int, end: int, language_code: str) -> dict[int, Value]:
    spoken = [str(_whole(t.text)) if t.kind == "figures" else t.text.replace("'", "") for t in tokens[start:end]]
    found: list[Value] = []
    known = number_words(language_code)
    points = frozenset[str]() if known.zero_fills else known.points  # "三点五" may be five past three
    for number in find_numbers(" ".join(spoken), language_code):
        first, behind = start + number.start, start + number.end
        written = tokens[first].text if tokens[first].kind == "figures" else ""
        value = Value(Kind.NUMBER, first, behind, number=Decimal(number.value), digits=written)
        before = found[-1] if found else None
        if before and _is_fraction(before, value, tokens, points):
            digits = f"{'' if before.number % 1 == 0 else str(before.number).partition('.')[2]}{value.number}"
            found[-1] = replace(before, end=behind, number=Decimal(f"{int(before.number)}.{digits}"), digits="")
        elif before and _goes_on(before, value, tokens):
            found[-1] = replace(before, end=behind, number=before.number + value.number, digits="")
        else:
            found.append(value)
    halves = number_words(language_code).halves
    for at, value in enumerate(found):  # "3 triệu rưỡi"
        if (
            value.end < end
            and tokens[value.end].text in halves
            and value.number >= 1000
            and value.end - value.start > 1
        ):
            times = 10 ** (len(str(int(value.number))) - len(str(int(value.number)).rstrip("0") or "1"))
            unit = Decimal(1000 ** ((len(str(times)) - 1) // 3))
            found[at] = replace(value, end=value.end + 1, number=value.number + unit / 2)
    return {value.start: value for value in found}


def _is_fraction(before: Value, value: Value, tokens: Sequence[Token], points: Collection[str]) -> bool:
    """Return whether a number stands behind the point of the number before: the five of "two point five", and digits
    behind it.
    """
    if value.number >= 10 or value.digits or before.digits:
        return False
    if before.number % 1 > 0 and before.end == value.start:
        return True
    return before.end + 1 == value.start and tokens[before.end].text in points


def _goes_on(before: Value, value: Value, tokens: Sequence[Token]) -> bool:
    """Return whether two numbers are one: "1 triệu 500 nghìn"."""
    is_multiplied = before.number >= 1000 and not tokens[before.end - 1].text[:1].isdecimal()
    unit = 1
    while is_multiplied and before.number % (unit * 1000) == 0:
        unit *= 1000
    return before.end == value.start and unit > 1 and value.number < unit and value.end - value.start > 1
