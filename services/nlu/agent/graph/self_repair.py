"""Self-repair of a speaker: a value that is said, and put right before the turn is over. Sans-IO.

"For two nights, no sorry, three" has a reparandum (two), an editing term (no sorry) and a repair (three); the terms are
those of W. J. M. Levelt, "Monitoring and self-repair in speech", Cognition 14 (1983). The turn is read as if the repair
alone had been said: "for three nights". Times, days and small numbers are put right so; words that are dictated, such
as a telephone number, are the captures'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from services.language.phrases import folded
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import Asking
from services.nlu.agent.graph.counting import has_any, spans_of

_STOP = "stop"
_STOPS = " ,;:.!?…，。；：！？、"
_SENTENCE_END = re.compile("[.!?。！？]")
_CLAUSE = re.compile(r"[,;.!?…，。；：！？、]+\s*")
_SIGNS = frozenset({_STOP, "sign"})
_DAYS = frozenset({Kind.WEEKDAYS, Kind.DAY, Kind.DATE})
_HOURS = frozenset({Kind.TIME, Kind.NUMBER})
_REPAIRED = _DAYS | _HOURS | {Kind.PART}
_GREATEST = 31  # bare number that is an hour, a day of a month or a count
_MOST_BETWEEN = 3  # words between a value and the editing term
_MOST_RETRACED = 2  # words that are said again before the repair: "on Friday, no, on Saturday"
_MOST_REPAIRS = 3  # in one turn
_LEAST_DICTATED = 4  # numbers of a turn that dictates one
_LEAST_LIKE = 0.5  # of a name without capitals and the one that it puts right
_LEAST_ALIKE = 3  # letters of a unit that is said again in another form: "две ночи, нет, пять ночей"


@dataclass(frozen=True, slots=True)
class _Editing:
    """An editing term, in places of tokens; `end` is behind its last."""

    start: int
    end: int


def repaired(text: str, language_code: str, asking: Asking) -> str:
    """The text with each repair in the place of what it puts right; the text itself where nothing is put right."""
    for _ in range(_MOST_REPAIRS):
        changed = _once(text, language_code, asking)
        if changed == text:
            break
        text = changed
    return text


def repaired_name(text: str, language_code: str, asking: Asking) -> str:
    """An answer to "what is your name" with the name alone that was meant: "Aaron Webb" of "Aaron Webster, sorry, Webb"
    and of "Webster, sorry, Webb. Aaron Webb". The text itself where nothing is put right.
    """
    reading = read_values(text, language_code)
    places = _offsets(text, reading)
    terms = [one for one in _editing_terms(reading, asking) if _words(reading, 0, one.start)] if places else []
    if not terms or not _words(reading, terms[-1].end, len(reading.tokens)):
        return text
    before = text[: places[terms[-1].start][0]].rstrip(_STOPS)
    clauses = [one.strip(_STOPS) for one in _CLAUSE.split(text[places[terms[-1].end - 1][1] :]) if one.strip(_STOPS)]
    meant = max((one for one in clauses if one.endswith(clauses[0])), key=len)
    said = _CLAUSE.split(before)[-1].split()
    is_written = any(word[:1].isupper() for word in said)  # a recogniser may write no capitals at all
    is_name = all(word[:1].isupper() for word in meant.split() if word[:1].islower() or word[:1].isupper())
    if (is_written and not is_name) or not asking.common.isdisjoint(normalise(meant)) or _asks(text):
        return text
    if not is_written and not _sounds_like(meant, said):
        return text
    if len(meant.split()) == 1 < len(said):  # its last word alone: "Aaron Webster, sorry, Webb"
        return " ".join([*said[:-1], meant])
    return meant


def _asks(text: str) -> bool:
    return text.rstrip().endswith(("?", "？"))


def _sounds_like(meant: str, said: Sequence[str]) -> bool:
    """Return whether a name without capitals is another try at one that was said: it has a word, or a sign, of it."""
    words, before = normalise(meant), normalise(" ".join(said))
    if len(words) == 1 and before:
        return SequenceMatcher(None, words[0], before[-1]).ratio() >= _LEAST_LIKE
    return not set(words).isdisjoint(before)


def _once(text: str, language_code: str, asking: Asking) -> str:
    reading = read_values(text, language_code)
    places = _offsets(text, reading)
    if not places or _is_dictated(reading):
        return text
    for editing in _editing_terms(reading, asking):
        repair = next((one for one in reading.values if one.start >= editing.end), None)
        wrong = _reparandum(reading, editing, repair, asking) if repair and _is_repaired(repair) else None
        if repair is None or wrong is None or not _is_retraced(reading, wrong, editing, repair):
            continue
        if _is_refused(reading, editing, asking) or _is_wanted_instead(reading, repair, asking):
            continue
        if _is_name(reading, wrong, asking) or _is_asked_behind(reading, wrong, repair):
            continue
        starts, ends = zip(*places, strict=True)
        kept = _kept(reading, wrong, editing, repair)
        if kept is None:
            continue
        rest, end = kept
        said = text[starts[repair.start] : ends[repair.end - 1]]
        unit = text[ends[rest - 1] : ends[end - 1]] if end > rest else ""
        return f"{text[: starts[wrong.start]]}{said}{unit}{text[ends[repair.end - 1] :]}"
    return text


def _editing_terms(reading: Reading, asking: Asking) -> list[_Editing]:
    """The longest runs of editing terms, with the stops among and around them. A word that may as well deny, "no",
    counts only where it stands alone between stops or beside another.
    """
    texts = tuple("" if token.kind == _STOP else token.text for token in reading.tokens)
    sure = {at for span in spans_of(texts, (*asking.corrections, *asking.slips)) for at in range(*span)}
    doubtful = {at for span in spans_of(texts, asking.denials) for at in range(*span)}
    runs: list[list[int]] = []
    for at in sorted(sure | doubtful):
        is_next = bool(runs) and not any(texts[runs[-1][-1] + 1 : at])
        runs = [*runs[:-1], [*runs[-1], at]] if is_next else [*runs, [at]]
    found = []
    for run in runs:
        start, end = run[0], run[-1] + 1
        is_alone = start > 0 and not texts[start - 1] and end < len(texts) and not texts[end]
        if not sure.isdisjoint(run) or is_alone:
            found.append(_Editing(start, end))
    return found


def _is_dictated(reading: Reading) -> bool:
    numbers = [one for one in reading.values if one.kind is Kind.NUMBER]
    return len(numbers) >= _LEAST_DICTATED or any(one.kind is Kind.DIGITS for one in reading.values)


def _is_retraced(reading: Reading, wrong: Value, editing: _Editing, repair: Value) -> bool:
    """Return whether nothing stands between editing term and repair but words that were said before the reparandum."""
    again = _words(reading, editing.end, repair.start)
    before = _words(reading, max(0, wrong.start - _MOST_RETRACED), wrong.start)
    return len(again) <= _MOST_RETRACED and set(again) <= set(before)


def _reparandum(reading: Reading, editing: _Editing, repair: Value, asking: Asking) -> Value | None:
    """The value that is put right: the last of its kind, in a row of values that ends at the editing term."""
    end = editing.start
    for value in reversed([one for one in reading.values if one.end <= editing.start]):
        if len(_words(reading, value.end, end)) > _MOST_BETWEEN:
            return None
        if _is_repaired(value) and _are_alike(value, repair) and _have_one_unit(reading, value, repair, asking):
            return None if len(value.days) > len(repair.days) else value  # "from Wednesday to Thursday, sorry, Friday"
        end = value.start
    return None


def _are_alike(value: Value, repair: Value) -> bool:
    kinds = {value.kind, repair.kind}
    return value.kind is repair.kind or kinds <= _HOURS or kinds <= _DAYS


def _have_one_unit(reading: Reading, value: Value, repair: Value, asking: Asking) -> bool:
    """Return whether a number counts the same: "two nights" is put right by "three" and "three nights", and neither by
    an hour nor by "three people".
    """
    if value.kind not in _HOURS:
        return True
    counted = (*(one for phrases in asking.periods.values() for one in phrases), *asking.people["groups"])
    units = {phrase[0] for phrase in counted if len(phrase) == 1}
    own, other = (next(iter(_words(reading, one.end, len(reading.tokens))), "") for one in (value, repair))
    own, other = (one if one in units else "" for one in (own, other))
    if other and other[:_LEAST_ALIKE] != own[:_LEAST_ALIKE]:
        return False
    is_hour = repair.kind is Kind.TIME and repair.end - repair.start > 1  # "три" of "на три" may be either
    return not own or bool(other) or not is_hour


def _is_repaired(value: Value) -> bool:
    return value.kind in _REPAIRED and (value.kind is not Kind.NUMBER or 0 < value.number <= _GREATEST)


def _is_refused(reading: Reading, editing: _Editing, asking: Asking) -> bool:
    """Return whether something before the editing term is not wanted: in "I can't do Friday, sorry, Thursday" the
    second day is no repair of the first.
    """
    words = tuple(_words(reading, 0, editing.start))
    is_told = has_any(words, (*asking.own, *asking.tells)) and not any(
        has_any(words, orders) for orders in asking.orders.values()
    )  # "my appointment is on Tuesday. Actually, Wednesday"
    return is_told or has_any(words, (*asking.refusing["before"], *asking.refusing["beside"]))


def _is_name(reading: Reading, wrong: Value, asking: Asking) -> bool:
    """Return whether words that are a value in another place are a name here: "I'm April"."""
    before = tuple(_words(reading, 0, wrong.start))
    return any(before[-len(lead) :] == lead for lead in asking.name_leads if len(lead) > 1)


def _is_asked_behind(reading: Reading, wrong: Value, repair: Value) -> bool:
    """Return whether the repair stands in a question of its own: "Friday, please. Sorry, are you open on Saturday?"."""
    between = (token.text for token in reading.tokens[wrong.end : repair.start] if token.kind == _STOP)
    is_own_sentence = any(_SENTENCE_END.search(text) for text in between)
    behind = (token.text for token in reading.tokens[repair.end :] if token.kind == _STOP)
    end = next((text for text in behind if _SENTENCE_END.search(text)), "")
    return is_own_sentence and ("?" in end or "？" in end)


def _is_wanted_instead(reading: Reading, repair: Value, asking: Asking) -> bool:
    """Return whether the value behind the editing term is one that the caller would rather have, wants too, or does not
    want: it puts nothing right.
    """
    stops = (at for at, token in enumerate(reading.tokens) if token.kind == _STOP and at >= repair.end)
    behind = tuple(_words(reading, repair.end, next(stops, len(reading.tokens))))
    others = (*asking.refusing["beside"], *asking.objections, *asking.adds, *asking.adds_behind)
    return has_any(behind, (*asking.instead, *asking.evidence["changes"], *others))


def _kept(reading: Reading, wrong: Value, editing: _Editing, repair: Value) -> tuple[int, int] | None:
    """The places of the tokens behind the reparandum that are kept: its unit where the repair is a number alone, "two
    nights, no, three". None: more was said there than a unit that is said again, and stays as it is.
    """
    rest = _behind_number(reading, wrong) if repair.kind is Kind.NUMBER else wrong.end
    unit = next(iter(_words(reading, rest, editing.start)), "")
    again = next(iter(_words(reading, repair.end, len(reading.tokens))), "")
    is_said_again = unit and again and unit[:_LEAST_ALIKE] == again[:_LEAST_ALIKE]
    if is_said_again and len(_words(reading, rest, editing.start)) > 1:
        return None
    end = editing.start
    while end > rest and reading.tokens[end - 1].kind in _SIGNS:
        end -= 1
    return rest, rest if is_said_again else end


def _behind_number(reading: Reading, value: Value) -> int:
    """The place behind the number that a value begins with: "two" of "two p.m."."""
    figures = [at for at in range(value.start, value.end) if reading.tokens[at].kind == "figures"]
    return figures[0] + 1 if figures else value.end


def _words(reading: Reading, start: int, end: int) -> list[str]:
    return [token.text for token in reading.tokens[start:end] if token.kind != _STOP]


def _offsets(text: str, reading: Reading) -> list[tuple[int, int]]:
    """Where each token stands in the text; empty where one is not found as it is written."""
    plain, at = folded(text), 0
    if len(plain) != len(text):
        return []
    found: list[tuple[int, int]] = []
    for token in reading.tokens:
        start = plain.find(token.text, at)
        if start < 0:
            return []
        at = start + len(token.text)
        found.append((start, at))
    return found
