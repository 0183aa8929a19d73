"""Where a transfer goes, from what the agent's model wrote: a number in any notation, an extension, an address."""

from typing import Final

import phonenumbers

_KEPT: Final = frozenset("+*#0123456789")
_NOTATION: Final = frozenset(" .-/()\u00a0\u2011\u2013")


def normalised(destination: str, region: str) -> str:
    """A number in E.164, where it is one that is possible in the region (ISO 3166, two letters; empty: unknown); an
    extension without its notation; anything else as it is written.
    """
    text = destination.strip()
    if not text or not all(char in _KEPT or char in _NOTATION for char in text):
        return text
    digits = "".join(char for char in text if char in _KEPT)
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return digits
    is_dialled_in_full = text.startswith("+") or digits.startswith("0")
    if is_dialled_in_full and phonenumbers.is_possible_number(number):
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return digits


def region_of(caller: str, language_code: str) -> str:
    """The country of the call: the caller's own number's, else the language tag's; empty when neither says."""
    try:
        code = phonenumbers.region_code_for_number(phonenumbers.parse(caller, None))
    except phonenumbers.NumberParseException:
        code = None
    if code:
        return code
    parts = language_code.split("-")
    if len(parts) > 1 and len(parts[-1]) == 2:
        return parts[-1].upper()
    return "VN" if parts[0].lower() == "vi" else ""
