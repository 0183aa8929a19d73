"""Vietnamese words for numbers. CLDR leaves the empty hundred of a thousand out: 2,028,000 is "hai triệu hai mươi tám
nghìn" there, where one says "hai triệu không trăm hai mươi tám nghìn".
"""

from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers

_THOUSAND = 1000


class VietnameseNumbers(Numbers):
    """Cardinals of its own; "four" is an ordinal of its own."""

    most_digits = 12

    def __init__(self, words: Mapping[str, Any]) -> None:
        super().__init__("vi", words)
        self._words: Mapping[str, Any] = words["number_words"]
        self._thousands: list[str] = words["thousands"]

    def ordinal(self, number: int) -> str:
        """Behind a weekday, a month or a quarter."""
        return str(self._words["fourth"]) if number == 4 else self.cardinal(number)

    def fraction(self, fraction: str) -> str:
        """Two digits are said as a number: 3,14 is "ba phẩy mười bốn"."""
        return self.digits(fraction) if fraction.startswith("0") or len(fraction) > 2 else self.whole(fraction)

    def _spelled(self, number: int, ruleset: str) -> str:
        if number == 0:
            return self._digits[0]
        groups: list[str] = []
        if number > _THOUSAND**2 and number % _THOUSAND >= 100 and number // _THOUSAND % _THOUSAND == 0:
            more, hundreds = divmod(number, _THOUSAND)  # without the empty thousand it is heard as 2,300,000
            empty = f"{self._digits[0]} {self._thousands[1]}"
            words = self._below_thousand(hundreds, has_more_before=True)
            return f"{self._spelled(more * _THOUSAND, ruleset)} {empty} {words}"
        for name in self._thousands:
            number, group = divmod(number, 1000)
            if group:
                groups.append(f"{self._below_thousand(group, has_more_before=number > 0)} {name}".strip())
        return " ".join(reversed(groups))

    def _below_thousand(self, number: int, *, has_more_before: bool) -> str:
        hundreds, rest = divmod(number, 100)
        words = [f"{self._digits[hundreds]} {self._words['hundred']}"] if hundreds or has_more_before else []
        if rest:
            if words and rest < 10:
                words.append(self._words["empty_tens"])
            words.append(self._below_hundred(rest))
        return " ".join(words)

    def _below_hundred(self, number: int) -> str:
        tens, ones = divmod(number, 10)
        if tens == 0:
            return self._digits[ones]
        words: str = self._words["ten"] if tens == 1 else f"{self._digits[tens]} {self._words['tens']}"
        if ones == 0:
            return words
        if ones == 5:
            return f"{words} {self._words['five_behind_tens']}"
        if ones == 1 and tens > 1:
            return f"{words} {self._words['one_behind_tens']}"
        return f"{words} {self._digits[ones]}"
