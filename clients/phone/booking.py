"""The caller of `make call SCENARIO=booking`: the answers to the clinic's questions, by what was asked, and the diary
that must have the appointment afterwards.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WISH: Final = "wish"
NUMBER: Final = "number"
YES: Final = "yes"
KEYS: Final = "0912345678"
"""The number that the caller says, and presses where it is asked for again."""

SAYINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "en-US": {
        WISH: "I would like to book a cleaning, please.",
        "tuesday": "On Tuesday, please.",
        "wednesday": "On Wednesday, please.",
        "friday": "On Friday, please.",
        "name": "My name is Anna Bell.",
        NUMBER: "Zero nine one two, three four five, six seven eight.",
        YES: "Yes, please.",
    },
    "vi-VN": {
        WISH: "Tôi muốn đặt lịch lấy cao răng.",
        "tuesday": "Thứ Ba nhé.",
        "wednesday": "Thứ Tư nhé.",
        "friday": "Thứ Sáu nhé.",
        "name": "Tôi tên là Lan.",
        NUMBER: "Không chín một hai, ba bốn năm, sáu bảy tám.",
        YES: "Vâng, đúng rồi.",
    },
}
"""Remarks by language and name, recorded as `remarks/<language>-<name>.wav`."""

_ASKED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "en-US": (
        ("shall i book it", YES),
        ("may i have your name", "name"),
        ("telephone number", NUMBER),
        ("tuesday", "tuesday"),
        ("wednesday", "wednesday"),
        ("friday", "friday"),
    ),
    "vi-VN": (
        ("có muốn đặt lịch này không", YES),
        ("xin tên", "name"),
        ("số điện thoại", NUMBER),
        ("thứ ba", "tuesday"),
        ("thứ tư", "wednesday"),
        ("thứ sáu", "friday"),
    ),
}
TOLD: Final[Mapping[str, str]] = {"en-US": "appointment is booked", "vi-VN": "lịch hẹn đã được đặt"}


def answer_to(said: str, language: str) -> str:
    """The name of what the caller answers to the agent's words; empty: they ask nothing that is known."""
    plain = said.lower()
    return next((name for words, name in _ASKED[language] if words in plain), "")


def is_told(said: str, language: str) -> bool:
    """Return whether the agent says that it is booked."""
    return TOLD[language] in said.lower()


@dataclass(frozen=True, slots=True)
class Booked:
    """An appointment of the diary."""

    id: int
    starts: str
    service: str
    name: str
    phone: str

    def __str__(self) -> str:
        return f"{self.starts}, {self.service or 'no service'}, {self.name}, {self.phone}"


def booked_in(diary: Path) -> tuple[Booked, ...]:
    """The appointments that stand in a diary; none where there is no such file."""
    if not diary.is_file():
        return ()
    with sqlite3.connect(f"{diary.resolve().as_uri()}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT id, starts, service, name, phone FROM appointments WHERE state = 'booked' ORDER BY id"
        )
        return tuple(Booked(*row) for row in rows)
