"""Dictated telephone numbers: how complete one is, by libphonenumber's data for a region."""

from enum import Enum
from functools import lru_cache

import phonenumbers
from phonenumbers import ValidationResult

FEWEST_DIGITS = 2
MOST_LEFT = 3  # digits that may be missing from a number that is valid already
PROBES = ("0", "2", "5")


class Dictated(Enum):
    """State of a dictated number."""

    WHOLE = "whole"  # nothing can follow
    PART = "part"  # the beginning of a longer number
    NONE = "none"  # no telephone number of the region, and not the beginning of one


def is_region(code: str) -> bool:
    """Return whether libphonenumber knows the region: two capital letters of ISO 3166-1."""
    return code in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=1024)
def dictated(digits: str, region: str) -> Dictated:
    """Return the state of these digits in `region`: dialled there, with or without the country's code in front.

    A number may be shorter than others that begin alike, as "1900 1234" is in Vietnam: it is a part then, since the
    caller may go on.
    """
    if len(digits) < FEWEST_DIGITS:
        return Dictated.PART
    number = _parsed(digits, region)
    if number is None:
        return Dictated.PART if _parsed(digits + PROBES[0] * MOST_LEFT, region) is not None else Dictated.NONE
    if phonenumbers.is_valid_number(number):
        return Dictated.PART if _may_be_longer(digits, region) else Dictated.WHOLE
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.TOO_LONG | ValidationResult.INVALID_COUNTRY_CODE:
            return Dictated.NONE
        case ValidationResult.IS_POSSIBLE if _is_too_long(digits + PROBES[0], region):
            return Dictated.WHOLE
    return Dictated.PART


def _may_be_longer(digits: str, region: str) -> bool:
    longer = (_parsed(digits + probe * n_left, region) for n_left in range(1, MOST_LEFT + 1) for probe in PROBES)
    return any(number is not None and phonenumbers.is_valid_number(number) for number in longer)


def _is_too_long(digits: str, region: str) -> bool:
    number = _parsed(digits, region)
    return number is None or phonenumbers.is_possible_number_with_reason(number) == ValidationResult.TOO_LONG


def _parsed(digits: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
