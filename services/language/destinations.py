"""The target of a transfer, from the text that the agent's model wrote: a number in any notation, an extension, an
address.

Both the agent's server and the gateway ask here, each on its own: neither has to trust the other's check.
"""

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final, Protocol

import phonenumbers

from services.language.words import normalise

LIKE: Final = 0.85  # of 1: "receptoin" is 0.89 of "reception", "building" 0.80 of "billing"

_URI: Final = re.compile("^tel:", re.IGNORECASE)  # RFC 3966
_NUMBER: Final = re.compile(r"(?<![\w.,+*#-])[0-9*#]+(?![\w*#-])")

_KEPT: Final = frozenset("+*#0123456789")
_NOTATION: Final = frozenset(" .-/()")
_DASHES: Final = {ord(dash): "-" for dash in "\u2010\u2011\u2012\u2013\u2014\u2212"}


class Place(Protocol):
    """A place that callers may be transferred to."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the destination's names."""

    @property
    def target(self) -> str:
        """A number in E.164, a SIP URI or an extension of the dialplan."""


def allowed_target(wanted: str, places: Iterable[Place], *, region: str) -> str:
    """Return where the transfer goes that is wanted: as it is written, else as a number of the region (ISO 3166-1, two
    letters; empty: unknown). Empty where the list has no such place, or more than one may be meant.
    """
    listed = tuple(places)
    number = _URI.sub("", wanted.strip(), count=1)
    return (
        listed_target(wanted, listed) or listed_target(normalised(number, region), listed) or _dialled(wanted, listed)
    )


def listed_target(wanted: str, destinations: Iterable[Place]) -> str:
    """Return where the destination lies that is meant, by its names or its address; empty: none is, or more than one
    may be.

    Names are compared by their words in any case: the same words, then a name within what is wanted ("the front desk,
    please"), then words of one name alone ("the desk"), then what is spelt almost like it.
    """
    listed = tuple(destinations)
    words = normalise(wanted)
    for place in listed:
        addresses = (place.target.casefold(), normalised(place.target, "").casefold())
        if wanted.strip().casefold() in addresses or words in map(normalise, place.names):
            return place.target
    if not any(char.isalpha() for char in wanted) or ":" in wanted or "@" in wanted:
        return ""
    return _within(words, listed) or _part_of(words, listed) or _like(words, listed)


def _dialled(wanted: str, listed: tuple[Place, ...]) -> str:
    """The place whose extension is the one number among words: "extension 100"."""
    numbers = _NUMBER.findall(wanted)
    if len(numbers) != 1 or ":" in wanted or "@" in wanted:
        return ""
    return _only({place.target for place in listed if place.target == numbers[0]})


def _within(words: tuple[str, ...], listed: tuple[Place, ...]) -> str:
    """The place whose name stands in what is wanted, and not only as a part of another's."""
    found = [
        (at, at + len(name), place.target)
        for place in listed
        for name in map(normalise, place.names)
        for at in range(len(words) - len(name) + 1)
        if words[at : at + len(name)] == name
    ]
    return _only(
        {
            target
            for begin, end, target in found
            if not any(b <= begin and end <= e and (b, e) != (begin, end) for b, e, _ in found)
        }
    )


def _part_of(words: tuple[str, ...], listed: tuple[Place, ...]) -> str:
    """The place in one of whose names all the words stand."""
    return _only({place.target for place in listed for name in place.names if set(words) <= set(normalise(name))})


def _like(words: tuple[str, ...], listed: tuple[Place, ...]) -> str:
    """The place with a name that is spelt almost so, spaces left out."""
    written = "".join(words)
    found = [
        (SequenceMatcher(None, written, "".join(normalise(name)), autojunk=False).ratio(), place.target)
        for place in listed
        for name in place.names
    ]
    best = max((ratio for ratio, _ in found), default=0.0)
    return _only({target for ratio, target in found if ratio == best}) if best >= LIKE else ""


def _only(targets: set[str]) -> str:
    return targets.pop() if len(targets) == 1 else ""


def normalised(destination: str, region: str) -> str:
    """A number in E.164, where it is dialled in full (with + or 0) and possible, or a valid number of the region (ISO
    3166, two letters; empty: unknown); an extension without its notation; anything else as it is written.
    """
    text = unicodedata.normalize("NFKC", destination).translate(_DASHES).strip()
    text = "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in text)
    if not text or not all(char in _KEPT or char in _NOTATION for char in text):
        return destination.strip()
    digits = "".join(char for char in text if char in _KEPT)
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return digits
    is_dialled_in_full = text.startswith("+") or digits.startswith("0")
    is_of_region = bool(region) and digits.isdigit() and phonenumbers.is_valid_number_for_region(number, region)
    if is_of_region or (is_dialled_in_full and phonenumbers.is_possible_number(number)):
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
