"""Vietnamese words for numbers."""

from services.language.reading.rule import words_of

_WORDS = words_of("vi")
_ONES: list[str] = _WORDS["ones"]
_THOUSANDS: list[str] = _WORDS["thousands"]

LARGEST = 10**12 - 1
"""What is longer is said digit by digit."""


def cardinal(number: int) -> str:
    """0 to LARGEST in words: "một trăm lẻ năm", "hai mươi mốt"; an empty hundred behind a thousand is said."""
    if number == 0:
        return _ONES[0]
    groups: list[str] = []
    for name in _THOUSANDS:
        number, group = divmod(number, 1000)
        if group:
            groups.append(f"{_below_thousand(group, has_more_before=number > 0)} {name}".strip())
    return " ".join(reversed(groups))


def digits(text: str) -> str:
    """Each digit by itself; other characters are passed over."""
    return " ".join(_ONES[int(character)] for character in text if character.isdecimal())


def decimal(whole: str, fraction: str = "") -> str:
    """So "3" and "05" are "ba phẩy không năm"; thousands may be parted by dots."""
    plain = whole.replace(".", "").replace(",", "") or "0"
    words = cardinal(int(plain)) if int(plain) <= LARGEST else digits(plain)
    if not fraction:
        return words
    behind = digits(fraction) if fraction.startswith("0") or len(fraction) > 2 else cardinal(int(fraction))
    return f"{words} phẩy {behind}"


def ordinal(number: int) -> str:
    """Behind "thứ" or "tháng": as the cardinal, but four is "tư"."""
    return "tư" if number == 4 else cardinal(number)


def _below_thousand(number: int, *, has_more_before: bool) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} trăm"] if hundreds or has_more_before else []
    if rest:
        if words and rest < 10:
            words.append("lẻ")
        words.append(_below_hundred(rest))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    tens, ones = divmod(number, 10)
    if tens == 0:
        return _ONES[ones]
    words = "mười" if tens == 1 else f"{_ONES[tens]} mươi"
    if ones == 0:
        return words
    if ones == 5:
        return f"{words} lăm"
    if ones == 1 and tens > 1:
        return f"{words} mốt"
    return f"{words} {_ONES[ones]}"
