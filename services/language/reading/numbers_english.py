"""English words for numbers."""

from services.language.reading.rule import words_of

_WORDS = words_of("en")
_ONES: list[str] = _WORDS["ones"]
_TENS: list[str] = _WORDS["tens"]
_THOUSANDS: list[str] = _WORDS["thousands"]
_ORDINALS: dict[str, str] = _WORDS["irregular_ordinals"]

LARGEST = 10**15 - 1
"""What is longer is said digit by digit."""


def cardinal(number: int) -> str:
    """0 to LARGEST in words: "one hundred five"."""
    if number == 0:
        return _ONES[0]
    groups = []
    for name in _THOUSANDS:
        number, group = divmod(number, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {name}".strip())
    return " ".join(reversed(groups))


def ordinal(number: int) -> str:
    """As in "twenty-first"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _ORDINALS:
        return words[:cut] + _ORDINALS[last]
    return words[:cut] + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def digits(text: str) -> str:
    """Each digit by itself; other characters are passed over."""
    return " ".join(_ONES[int(character)] for character in text if character.isdecimal())


def decimal(whole: str, fraction: str = "") -> str:
    """So "12" and "05" are "twelve point zero five"; thousands may be parted by commas."""
    plain = whole.replace(",", "") or "0"
    words = cardinal(int(plain)) if int(plain) <= LARGEST else digits(plain)
    return f"{words} point {digits(fraction)}" if fraction else words


def year(number: int) -> str:
    """1000 to 9999 as a year: "nineteen oh five", "two thousand six", "twenty twenty-four"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_below_hundred(rest))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
