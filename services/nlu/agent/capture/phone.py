"""Telephone numbers: read digit by digit, held against libphonenumber, read back in the groups of their region.

Sans-IO.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

from services.language.dictation import Dictation, Kind
from services.nlu.agent.capture.form import Extent, best, groups_of, repaired, segments
from services.nlu.outputs import ExpectedKind

_FEWEST = 7  # digits of a number where no region tells
_MOST = 15  # digits (ITU-T E.164)
_USUAL_SIZES = (3, 3, 4)
_MOST_LEFT = 4  # digits that may be missing from a number of a possible length
_PROBES = "0123456789"


class PhoneForm:
    """Numbers of one region, in one language."""

    expects = ExpectedKind.DIGITS
    phrases: tuple[str, ...] = ()

    def __init__(self, dictation: Dictation, region: str) -> None:
        """`region` is ISO 3166-1, whose numbers are dialled without the country's code; empty: not known."""
        self._dictation, self._region = dictation, region
        example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE) if region else None
        written = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL) if example else ""
        self.sizes = tuple(len(run) for run in re.findall(r"\d+", written)) or _USUAL_SIZES
        self.length = sum(self.sizes) if written else 0

    def read(self, text: str) -> tuple[str, ...]:
        values: tuple[str, ...] = ("",)
        for segment in segments(text, self._dictation):
            found = self._digits(segment)
            if found:
                values = tuple(self._repaired(before, new) for before in values for new in found)
        return tuple(dict.fromkeys(value for value in values if value))

    def extent(self, value: str) -> Extent:
        digits = value.lstrip("+")
        if len(digits) > _MOST:
            return Extent.WRONG
        is_bare = not self._region and not value.startswith("+")
        if is_bare:
            return Extent.WHOLE if len(digits) >= _FEWEST else Extent.PART
        number = _parsed(value, self._region)
        if number is None:
            return Extent.PART if len(digits) < _FEWEST else Extent.WRONG
        if phonenumbers.is_valid_number(number):
            return Extent.WHOLE
        reason = phonenumbers.is_possible_number_with_reason(number)
        is_wrong = reason in (ValidationResult.TOO_LONG, ValidationResult.INVALID_COUNTRY_CODE)
        is_wrong = is_wrong or (reason == ValidationResult.IS_POSSIBLE and not self._may_become_valid(value))
        return Extent.WRONG if is_wrong else Extent.PART

    def joined(self, before: str, new: str) -> tuple[str, ...]:
        return (before + new.lstrip("+"), new) if before else (new,)

    def final(self, value: str) -> str:
        number = _parsed(value, self._region)
        if number is None:
            return value
        is_own = bool(self._region) and number.country_code == phonenumbers.country_code_for_region(self._region)
        if not is_own:
            return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
        return "".join(re.findall(r"\d", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)))

    def groups(self, value: str) -> tuple[str, ...]:
        number = _parsed(value, self._region)
        if number is not None and phonenumbers.is_valid_number(number):
            style = PhoneNumberFormat.INTERNATIONAL if value.startswith("+") else PhoneNumberFormat.NATIONAL
            found = tuple(re.findall(r"\+?\d+", phonenumbers.format_number(number, style)))
            if "".join(found) == value:
                return found
        return tuple(groups_of(value, self.sizes))

    def said(self, value: str, *, is_spelled: bool) -> str:
        plus = [self._dictation.words.marks_said["+"]]
        signs = ([*(plus if "+" in group else []), *group.lstrip("+")] for group in self.groups(value))
        return ", ".join(" ".join(group) for group in signs)

    def _digits(self, text: str) -> tuple[str, ...]:
        """The digits of a text, and those without a first one that may be a word."""
        signs = self._dictation.signs(text, with_letters=False)
        digits = [sign for sign in signs if sign.kind is Kind.DIGIT]
        if not digits:
            return ()
        plus = "+" if any(sign.text == "+" and sign.end <= digits[0].start for sign in signs) else ""
        found = [plus + "".join(sign.text for sign in digits)]
        if digits[0].is_soft and len(digits) > 1:
            found.append(plus + "".join(sign.text for sign in digits[1:]))
        return tuple(found)

    def _repaired(self, before: str, new: str) -> str:
        """Return what is said behind "no, sorry": all of it again, or from the place on that is put right."""
        return best(self, (new, *repaired(before, new))) if self._is_whole(new) else best(self, repaired(before, new))

    def _is_whole(self, value: str) -> bool:
        return self.extent(value) is Extent.WHOLE

    def _may_become_valid(self, value: str) -> bool:
        longer = (_parsed(value + digit * n, self._region) for n in range(1, _MOST_LEFT + 1) for digit in _PROBES)
        return any(number is not None and phonenumbers.is_valid_number(number) for number in longer)


def grouped(digits: str, region: str) -> str:
    """A number in the groups of its region, those of a number that is none in threes."""
    number = _parsed(digits, region)
    if number is not None and phonenumbers.is_valid_number(number):
        style = PhoneNumberFormat.INTERNATIONAL if digits.startswith("+") else PhoneNumberFormat.NATIONAL
        written = re.findall(r"\+?\d+", phonenumbers.format_number(number, style))
        if "".join(written) == digits:
            return " ".join(written)
    first = len(digits) % 3 or 3
    return " ".join(part for part in (digits[:first], *groups_of(digits[first:], (3,))) if part)


def _parsed(digits: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region or None)
    except phonenumbers.NumberParseException:
        return None
