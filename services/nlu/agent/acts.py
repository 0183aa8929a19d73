"""The acts on the call that a model can ask for, as if they were tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.nlu.outputs import Act, ExpectedKind, HangUp, SendDtmf, SwitchLanguage, Transfer
from services.runtime.errors import TurnFailed
from services.runtime.json_text import read_json

DIGITS = re.compile(r"[0-9A-D*#]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class WantedAct:
    """An act, and when."""

    act: Act
    is_now: bool


@dataclass(frozen=True, slots=True)
class WantedInput:
    """The input that the agent expects next, for the STT stage."""

    kind: ExpectedKind
    length: int
    phrases: tuple[str, ...]


ACT_NAMES = frozenset({"hang_up", "transfer", "send_dtmf", "switch_language", "expect"})


def act_name(act: Act) -> str:
    """The name of an act, one of ACT_NAMES."""
    names: dict[type[Act], str] = {
        HangUp: "hang_up",
        Transfer: "transfer",
        SendDtmf: "send_dtmf",
        SwitchLanguage: "switch_language",
    }
    return names[type(act)]


def read_arguments(name: str, arguments_json: str) -> Mapping[str, object]:
    """The arguments of a tool. Raises TurnFailed when they are no JSON object."""
    try:
        arguments = read_json(arguments_json or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise TurnFailed("ENGINE_FAILED", f"the model gave {name} arguments that are no JSON object", is_retryable=True)
    return arguments


def read_act(name: str, arguments_json: str) -> WantedAct | WantedInput:
    """Return one of ACT_NAMES with its arguments. Raises TurnFailed when they make no sense."""
    arguments = read_arguments(name, arguments_json)
    is_now = arguments.get("when") == "NOW"
    match name, arguments:
        case "hang_up", _:
            return WantedAct(HangUp(), is_now)
        case "transfer", {"destination": str(destination)} if destination.strip():
            return WantedAct(Transfer(destination.strip()), is_now)
        case "send_dtmf", {"digits": str(digits)} if DIGITS.fullmatch(digits):
            return WantedAct(SendDtmf(digits), is_now)
        case "switch_language", {"language_code": str(code)} if _LANGUAGE.fullmatch(code):
            return WantedAct(SwitchLanguage(code), is_now)
        case "expect", {"kind": str(kind)} if kind in ExpectedKind.__members__:
            length, phrases = arguments.get("length", 0), arguments.get("phrases", [])
            if isinstance(length, int) and length >= 0 and isinstance(phrases, list):
                return WantedInput(ExpectedKind[kind], length, tuple(str(phrase) for phrase in phrases))
    raise TurnFailed("ENGINE_FAILED", f"the model asked for {name} without what it needs", is_retryable=True)
