"""Telephone numbers as CRMs hold them: in any notation. Sans-IO."""

from __future__ import annotations

import phonenumbers

_FEWEST_DIGITS = 5  # that must be alike


def digits_of(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


def significant(phone: str, region: str) -> str:
    """The digits that every notation of a number shares: without country code and trunk prefix where they are known."""
    try:
        number = phonenumbers.parse(phone, region or None)
    except phonenumbers.NumberParseException:
        return digits_of(phone).lstrip("0") or digits_of(phone)
    return str(number.national_number)


def international(phone: str, region: str) -> str:
    """E.164 where that can be had, else as it is."""
    try:
        number = phonenumbers.parse(phone, region or None)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def notations(phone: str, region: str) -> tuple[str, ...]:
    """The number as it was given, in E.164 and in national digits, for systems that compare signs."""
    forms = [phone, international(phone, region)]
    try:
        number = phonenumbers.parse(phone, region or None)
        forms.append(digits_of(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)))
    except phonenumbers.NumberParseException:
        pass
    return tuple(dict.fromkeys(forms))


def is_same(written: object, phone: str, region: str) -> bool:
    """Return whether what a CRM holds is that number. Of two numbers with country codes both must be alike."""
    if not isinstance(written, str):
        return False
    wanted, found = significant(phone, region), significant(written, region)
    if len(wanted) < _FEWEST_DIGITS or wanted != found:
        return False
    one, other = international(phone, region), international(written, region)
    return not (one.startswith("+") and other.startswith("+")) or one == other
