"""Owner of an appointment: by the number and the name it was given for. Sans-IO."""

from __future__ import annotations

from difflib import SequenceMatcher

import phonenumbers

from services.language.words import normalise, without_marks

_LEAST_LIKE = 0.8  # difflib's ratio of two words of a name: "Smyth" is Smith
_LEAST_LIKE_JOINED = 0.9  # the same of whole names without their spaces: "Annabelle" is Anna Bell, as recognisers write
_FEWEST_WORDS = 2  # of a name that has more
_VIETNAMESE_FAMILY_NAMES = frozenset(  # without marks; these hold nine of ten people there
    {"nguyen", "tran", "le", "pham", "hoang", "huynh", "phan", "vu", "vo", "dang", "bui", "do", "ho", "ngo", "duong"}
    | {"ly", "dinh", "doan", "lam", "trinh", "mai", "dao", "ha", "cao", "luong", "luu", "chu", "ta", "thai", "quach"}
)
_SIP = ("sips:", "sip:", "tel:")


def dialled(phone: str) -> str:
    """A number without its notation: digits, with + before an international one."""
    return ("+" if phone.strip().startswith("+") else "") + "".join(char for char in phone if char.isdecimal())


def number_of(caller: str) -> str:
    """The number of a caller as the network tells it, E.164 or a SIP URI; empty: it has none."""
    plain = caller.strip()
    for scheme in _SIP:
        plain = plain.removeprefix(scheme)
    user = plain.partition("@")[0].partition(";")[0]
    return dialled(user) if user.lstrip("+").replace("-", "").isdecimal() else ""


def forms_of(phone: str, region: str = "") -> frozenset[str]:
    """The ways to dial one number in a region (ISO 3166-1): 0912345678 and +84912345678 in VN."""
    plain = dialled(phone)
    try:
        parsed = phonenumbers.parse(plain, region or None)
    except phonenumbers.NumberParseException:
        return frozenset({plain})
    styles = (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.NATIONAL)
    return frozenset({plain, *(dialled(phonenumbers.format_number(parsed, style)) for style in styles)})


def is_same_name(given: str, held: str) -> bool:
    """Return whether a name that a caller gave is the one an appointment is held by: each of its words is a word of
    that one, in any case, with or without marks, or nearly; or the whole is, cut into words otherwise.

    One word of several is not enough, since a family name is shared by many; of a Vietnamese name, the given name,
    which stands last, must be among the words.
    """
    words, known = (without_marks(" ".join(normalise(name))).split() for name in (given, held))
    if len(words) != len(known) and _likeness("".join(words), "".join(known)) >= _LEAST_LIKE_JOINED:
        return True
    if len(words) < min(_FEWEST_WORDS, len(known)):
        return False
    left = list(known)
    for word in words:
        same = next((other for other in left if word == other), None)
        same = same or next((other for other in left if _is_same_word(word, other)), None)
        if same is None:
            return False
        left.remove(same)
    is_vietnamese = known[:1] and known[0] in _VIETNAMESE_FAMILY_NAMES
    return bool(words) and not (is_vietnamese and known[-1] in left)


def _is_same_word(word: str, other: str) -> bool:
    return word == other or _likeness(word, other) >= _LEAST_LIKE


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
