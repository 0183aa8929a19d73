"""Amounts in a text: sums of money, percentages, numbers dialled, lengths of time. Sans-IO."""

from dataclasses import dataclass, replace
from decimal import Decimal

from services.language.value import Kind, Value
from services.language.value_parts import DAY, PartedText

_FEWEST_DIALLED = 6  # digits
_IN_GROUPS = range(9, 13)  # digits of a telephone number that is said in groups
_FEWEST_GROUPS = 3


@dataclass(frozen=True, slots=True)
class AmountReader:
    """Reads the amount that begins with a token."""

    text: PartedText

    def opens(self, at: int) -> bool:
        """Return whether a sign or a word here may stand before an amount: "$", "百分之"."""
        text = self.text.texts[at]
        return text in self.text.amounts.percent_before.openings or text in self.text.amounts.currencies.openings

    def grouped_sum(self, at: int) -> Value | None:
        """Thousands parted by spaces, before a currency: "1 500 руб.", "10 000 000đ"."""
        first = self.text.part(at)
        if first is None or not first.digits.isdecimal() or len(first.digits) > len("000") or first.digits[0] == "0":
            return None
        digits, end = first.digits, first.end
        while (part := self.text.part(end)) is not None and part.digits.isdecimal() and len(part.digits) == len("000"):
            digits, end = digits + part.digits, part.end
        hit = self.text.amounts.currencies.at(self.text.texts, end)
        if hit is None or digits == first.digits:
            return None
        return Value(Kind.MONEY, at, end + hit[0], number=Decimal(digits), currency=hit[1], digits=digits)

    def dialled(self, start: int) -> Value | None:
        """A number of a telephone or a code, said digit by digit or in groups."""
        digits, at = "", start
        while (part := self.text.part(at)) is not None and (spelled := self._digits(part)):
            digits, at = digits + spelled, part.end
            if at < len(self.text.texts) and self.text.texts[at] in ("-", "–") and self.text.part(at + 1):
                at += 1
        n_parts = sum(1 for each in range(start, at) if each in self.text.parts)
        is_one_number = n_parts == 1 and not digits.startswith("0")
        if len(digits) >= _FEWEST_DIALLED and not is_one_number:
            return Value(Kind.DIGITS, start, at, digits=digits)
        return self._dialled_in_groups(start)

    def _dialled_in_groups(self, start: int) -> Value | None:
        """A telephone number said in tens and hundreds: "ноль девять ноль два сто двести" is 0902100200. Between its
        groups there may be commas where it begins with a nought.
        """
        groups: list[str] = []
        at = end = start
        while (part := self.text.part(at)) is not None and part.number < 1000 and not part.number % 1:
            groups.append(part.digits if part.digits.isdecimal() else str(part.number))
            at = end = part.end
            if groups[0].startswith("0") and at < len(self.text.texts) and self.text.texts[at] == ",":
                at += 1
        digits = "".join(groups)
        is_dialled = digits.startswith("0") or not all(text.isdecimal() for text in self.text.texts[start:end])
        is_number = len(groups) >= _FEWEST_GROUPS and len(digits) in _IN_GROUPS and is_dialled
        return Value(Kind.DIGITS, start, end, digits=digits) if is_number else None

    def _digits(self, part: Value) -> str:
        if part.digits.isdecimal():
            return part.digits
        is_digit = not part.digits and part.end - part.start <= 2 and 0 <= part.number <= 9
        return str(part.number) if is_digit else ""

    def amount(self, at: int) -> Value | None:  # noqa: PLR0911 - one return a way to write it
        """A sum of money or a percentage."""
        texts, amounts = self.text.texts, self.text.amounts
        if length := amounts.percent_before.length(texts, at):
            number = self.text.part(at + length)
            return replace(number, kind=Kind.PERCENT, start=at) if number else None
        if (hit := amounts.currencies.at(texts, at)) and (number := self.text.part(at + hit[0])):
            if length := amounts.money_multipliers.length(texts, number.end):  # "$5k"
                number = replace(number, number=number.number * 1000, end=number.end + length)
            return replace(number, kind=Kind.MONEY, start=at, currency=hit[1])
        number = self.text.part(at)
        if number is None:
            return None
        end = number.end
        if length := amounts.percent.length(texts, end):
            return replace(number, kind=Kind.PERCENT, end=end + length)
        if length := amounts.money_multipliers.length(texts, end):
            number, end = replace(number, number=number.number * 1000), end + length
            return self._with_currency(replace(number, kind=Kind.MONEY, end=end)) or replace(
                number, kind=Kind.MONEY, end=end
            )
        if money := self._with_currency(number):
            return money
        is_year = self.text.is_year(number) or self.text.length("year_words", number.start - 1)
        is_large = amounts.is_large_money and number.number >= 1000
        return replace(number, kind=Kind.MONEY) if is_large and not is_year else None

    def _with_currency(self, number: Value) -> Value | None:
        texts, amounts = self.text.texts, self.text.amounts
        hit = amounts.currencies.at(texts, number.end)
        if hit is None:
            return None
        money = replace(number, kind=Kind.MONEY, end=number.end + hit[0], currency=hit[1])
        at = money.end + (1 if money.end < len(texts) and money.end + 1 in self.text.parts else 0)  # "and fifty cents"
        small = self.text.part(at) or self.text.part(money.end)
        if small and (cents := amounts.small_currencies.at(texts, small.end)) and cents[1] == hit[1]:
            return replace(money, end=small.end + cents[0], number=money.number + small.number / 100)
        return money

    def length_of_time(self, at: int) -> Value | None:
        """A number of minutes, hours, days, weeks, months (of 30 days) or years."""
        number = self.text.part(at)
        end, count = (number.end, number.number) if number else (at + self.text.length("articles", at), Decimal(1))
        if end == at:
            end, count = at + self.text.length("one_and_half_before", at), Decimal("1.5")
        if end == at:
            return None
        if half := self.text.length("half_between", end):
            end, count = end + half, count + Decimal("0.5")
        units = (("hour_units", 60), ("minute_units", 1), ("day_words", DAY), ("week_words", 7 * DAY))
        for name, minutes in units:
            length = self.text.length(name, end)
            if length and not any(n in self.text.parts for n in range(end + 1, end + length)):
                total, end = count * minutes, end + length
                if half := self.text.length("half_behind_units", end):
                    total, end = total + Decimal(minutes) / 2, end + half
                return Value(Kind.DURATION, at, end, number=total) if number or minutes in (60, 1) else None
        for name, days in (("month_words", 30), ("year_words", 365)):
            if number and (length := self.text.length(name, end)):
                return Value(Kind.DURATION, at, end + length, number=count * days * DAY)
        return None
