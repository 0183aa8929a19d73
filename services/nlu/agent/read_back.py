"""The check that a caller has agreed to a tool's write. Sans-IO.

The last words of the agent must have been heard to their end, and must end with a question that read back each
argument; the caller's whole turn must agree to it. Nothing else is a confirmation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from services.language.claims import ClaimWords, claim_words
from services.language.data import LanguageDataError
from services.language.phrases import words_of
from services.language.words import has_words, normalise
from services.nlu.agent.clause_form import sentences_of
from services.nlu.agent.confirmation import ASK, Confirmation
from services.nlu.agent.graph.agreement import (
    behind_agreements,
    deed_words,
    has_phrase,
    is_all_agreement,
    own_deeds,
)
from services.nlu.agent.graph.asking import Asking, asking
from services.nlu.agent.heard_values import HeardText, as_moment, heard_in, is_email, is_phone
from services.nlu.agent.profile import AgentProfile
from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import Text
from services.runtime.json_text import read_json

_QUESTION = ("?", "？")
_LEAST_SURE = 0.5  # confidence of the recogniser in a yes
_MOST_NAMED = 6  # arguments that a refusal names
_MOST_CHARS = 60  # of each
_HOW_IT_WENT = frozenset({"status", "state", "ok"})  # keys of a result that tell nothing of the thing
_LONG_ID = 16  # characters of an id without a digit


def unconfirmed(
    name: str, arguments: Mapping[str, object], parameters_json: str, given: Confirmation, profile: AgentProfile
) -> str:
    """Return why a call of a tool that writes may not be run, for the model; empty: the caller has confirmed it."""
    heard, fault = _question_heard(given.history)
    if not fault:
        fault = _not_agreed(given, heard, name)
    if fault:
        return f"{fault}: {ASK}"
    leaves = list(_leaves(arguments, _defaults(parameters_json)))
    faults = []
    for code in given.language_codes:
        readings = heard_in(heard, (code,), now=given.now, profile=profile)
        fault = _ReadBack(readings[0], name, given.history, profile).fault(leaves) if readings else ""
        if readings and not fault:
            return ""
        faults.append(fault)
    return f"{next(filter(None, faults), 'the question was not in a language that can be read')}: {ASK}"


def _question_heard(history: Sequence[Entry]) -> tuple[str, str]:
    """The agent's last words, where they were heard to their end and end with a question; else what is wrong."""
    if not history or history[-1].gateway_text.strip():
        return "", "the last thing that the caller heard was no question of the agent's"
    last = history[-1]
    heard = last.heard_text.strip()
    if not heard:
        return "", "the caller has heard no question"
    if has_words(last.unheard_text):
        return "", "the caller did not hear the question to its end"
    if not (heard + last.unheard_text.rstrip()).rstrip("\"'”’)").endswith(_QUESTION):
        return "", "what the caller heard last was no question"
    return heard, ""


def _not_agreed(given: Confirmation, heard: str, tool: str) -> str:
    if not isinstance(given.input, Text):
        return "the caller has not said yes"
    confidence = given.input.confidence
    if confidence is not None and confidence < _LEAST_SURE:
        return "the caller was not heard clearly"
    asked = normalise(heard)
    for code in given.language_codes:
        known = frozenset(asked) | deed_words(tool, code)
        for lists in _lists((code,)):
            is_yes = is_all_agreement(given.input.text, lists, asked=known, deeds=own_deeds(tool, code))
            if is_yes and not _asks(given.input.text, lists, code):
                return ""
    return "the caller has not said yes, and nothing but yes"


def _asks(text: str, lists: Asking, language_code: str) -> bool:
    """Return whether a question follows the yes: "yes, is that in the morning"."""
    rest = behind_agreements(normalise(text), lists)
    return claim_words(language_code).lists["question_openings"].length(rest, 0) > 0


def _lists(language_codes: Sequence[str]) -> Iterator[Asking]:
    for code in language_codes:
        try:
            yield asking(code)
        except LanguageDataError:
            continue


def _defaults(parameters_json: str) -> dict[str, object]:
    """Return what stands in a schema for an argument that is left out, or that can be nothing else."""
    try:
        properties = read_json(parameters_json or "{}").get("properties", {})
        return {
            name: field.get("const", field.get("default"))
            for name, field in properties.items()
            if isinstance(field, dict) and ("const" in field or "default" in field)
        }
    except (ValueError, AttributeError):
        return {}


def _leaves(value: object, defaults: Mapping[str, object], path: str = "") -> Iterator[tuple[str, str | int | float]]:
    """The texts and numbers among arguments, each with its name; what a default says is none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if path or name not in defaults or defaults[name] != inner:
                yield from _leaves(inner, defaults, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, defaults, path)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield path, value


class _ReadBack:
    """One language's reading of what was heard, held against a call."""

    def __init__(self, heard: HeardText, tool: str, history: Sequence[Entry], profile: AgentProfile) -> None:
        self._tool, self._history, self._profile = tool, history, profile
        self._code = heard.language_code
        sentences = sentences_of(heard.text, self._code)
        self._all = heard
        self._last = HeardText(sentences[-1], self._code, now=heard.now, profile=profile)
        self._lists: Asking | None = next(_lists((self._code,)), None)
        self._claims: ClaimWords = claim_words(self._code)

    def fault(self, leaves: Sequence[tuple[str, str | int | float]]) -> str:
        """Return why the question does not read the call back; empty: it does."""
        in_question = bool(leaves) and not self._missing(self._last, leaves)
        heard = self._last if in_question else self._all
        if missing := self._missing(heard, leaves):
            named = ", ".join(f"{name}={str(value)[:_MOST_CHARS]}" for name, value in missing[:_MOST_NAMED])
            return f"what was read back to the caller did not say {named}"
        if self._asks_more(heard, leaves):
            return "the question named other days or times as well"
        return self._question_fault(has_all=in_question)

    def _question_fault(self, *, has_all: bool) -> str:
        """Return whether the last sentence asks for a yes to this deed."""
        texts, lists = words_of(self._last.text), self._lists
        own = own_deeds(self._tool, self._code)
        named = {hit[1] for at in range(len(texts)) if (hit := self._claims.verbs.at(texts, at))}
        if own and named and not own & named:
            return "the question asked for something else than this tool does"
        confirms = lists is not None and has_phrase(self._last.words, lists.confirms)
        is_choice = lists is not None and has_phrase(self._last.words, lists.choices)
        if is_choice and not confirms and not self._asks_yes_or_no(texts, endings_only=True):
            return "the question offered a choice"
        if has_all:
            asks_else = lists is not None and has_phrase(self._last.words, lists.question_words)
            is_fit = confirms or self._asks_yes_or_no(texts) or not asks_else
        else:
            is_fit = confirms or bool(own & named)
        return "" if is_fit else "the question did not ask whether this is to be done"

    def _asks_yes_or_no(self, texts: tuple[str, ...], *, endings_only: bool = False) -> bool:
        """Return whether a question asks for yes or no: by its beginning, that of a part behind a stop, or its end."""
        lists = self._claims.lists
        if any(lists["yes_no_endings"].length(texts, at) == len(texts) - at for at in range(len(texts))):
            return True
        parts = [words_of(part) for part in self._last.clauses]
        return not endings_only and any(lists["question_openings"].length(part, 0) for part in parts)

    def _asks_more(self, heard: HeardText, leaves: Sequence[tuple[str, str | int | float]]) -> bool:
        """Return whether a day or a time was said that is not the call's, as of two that are offered."""
        found = [as_moment(value, self._profile) for _, value in leaves if isinstance(value, str)]
        wanted = [moment for moment in found if moment is not None]
        days = {one.date() if isinstance(one, datetime) else one for one in wanted if isinstance(one, date)}
        clocks = [one if isinstance(one, time) else one.time() for one in wanted if isinstance(one, datetime | time)]
        minutes = {clock.hour * 60 + clock.minute for clock in clocks}
        for said in heard.moments:
            is_day_other = bool(days) and said.day is not None and said.day not in days
            is_time_other = bool(minutes) and bool(said.minutes) and not said.minutes & minutes
            if is_day_other or is_time_other:
                return True
        return False

    def _missing(
        self, heard: HeardText, leaves: Sequence[tuple[str, str | int | float]]
    ) -> list[tuple[str, str | int | float]]:
        moments = [as_moment(value, self._profile) for _, value in leaves if isinstance(value, str)]
        begins = [moment for moment in moments if isinstance(moment, datetime)]
        return [(name, value) for name, value in leaves if not self._stands(heard, value, begins)]

    def _stands(self, heard: HeardText, value: str | float, begins: Sequence[datetime]) -> bool:
        if not isinstance(value, str):
            return heard.has_number(Decimal(str(value)))
        moment = as_moment(value, self._profile)
        if moment is not None:
            return heard.has_when(moment, beside=begins)
        if is_phone(value):
            return heard.has_phone(value)
        if is_email(value):
            return heard.has_email(value)
        if value == self._profile.timezone or (value.isdecimal() and heard.has_number(Decimal(value))):
            return True
        return heard.has_words(value) or heard.names_thing(value) or self._is_looked_up(heard, value)

    def _is_looked_up(self, heard: HeardText, value: str) -> bool:
        """Return whether it is an id that a tool has brought, and what it stands for was read back: its times, else its
        names.
        """
        if any(sign.isspace() for sign in value) or not (len(value) >= _LONG_ID or any(map(str.isdecimal, value))):
            return False
        for entry in self._history:
            for call in entry.tool_calls:
                if any(self._is_read_back(heard, record) for record in _records(call, value)):
                    return True
        return False

    def _is_read_back(self, heard: HeardText, record: Sequence[str | int | float]) -> bool:
        texts = [text for text in record if isinstance(text, str) and has_words(text)]
        times = [text for text in texts if as_moment(text, self._profile) is not None]
        if times:
            return any(self._stands_plainly(heard, text) for text in times)
        return any(self._stands_plainly(heard, text) for text in texts)

    def _stands_plainly(self, heard: HeardText, text: str) -> bool:
        moment = as_moment(text, self._profile)
        if moment is not None:
            return heard.has_when(moment)
        return heard.has_words(text) or (is_phone(text) and heard.has_phone(text))


def _records(call: ToolCall, value: str) -> Iterator[list[str | int | float]]:
    """Yield the values beside a value in the objects of a tool's result; else the tool's arguments."""
    try:
        result, arguments = read_json(call.result_json or "null"), read_json(call.arguments_json or "{}")
    except ValueError:
        return
    for record in _objects(result):
        if value in record.values():
            beside = {key: each for key, each in record.items() if each != value and key not in _HOW_IT_WENT}
            yield [each for _, each in _leaves(beside or arguments, {})]


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
