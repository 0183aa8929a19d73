"""The needs of a rule hide none of its matches: `Rule.needs` against a search, on every line of the tables."""

import random
import re
import tomllib
from pathlib import Path

import pytest

from services.language.reading.normalizer import _rules_for
from services.language.reading.rule import DIGIT, may_match, signs_in

TABLES = sorted((Path(__file__).parents[2] / "data" / "reading").glob("*.toml"))
LINES = [line for path in TABLES for line in tomllib.loads(path.read_text(encoding="utf-8"))["cases"] if line.strip()]
N_MIXED = 400
TAGS = ("en-US", "en-GB", "vi-VN", "ru-RU", "zh-CN")


def mixed_lines(seed: int) -> list[str]:
    """Parts of lines of every language put together, and single signs left out: what no table has."""
    chance = random.Random(seed)  # not for secrets
    found = []
    for _ in range(N_MIXED):
        one, other = chance.choice(LINES), chance.choice(LINES)
        joined = one[: chance.randrange(len(one) + 1)] + other[chance.randrange(len(other)) :]
        cut = chance.randrange(len(joined) + 1)
        found.append(joined[:cut] + joined[cut + 1 :])
    return found


@pytest.mark.parametrize("tag", TAGS)
def test_no_match_is_hidden_by_what_a_rule_needs(tag: str) -> None:
    rules = _rules_for(tag)
    hidden = [
        (rule, line)
        for line in (*LINES, *mixed_lines(seed=7))
        for rule in rules
        if not may_match(rule.needs, signs_in(line)) and list(rule.apply(line))
    ]
    assert hidden == []


def pieces() -> list[str]:
    """Words and signs of the tables, in small letters and in capitals too, and the signs that the rules need."""
    found = {piece for line in LINES for piece in re.findall(r"\w+|\s|[^\w\s]", line)}
    found |= {sign for tag in TAGS for rule in _rules_for(tag) for needed in rule.needs for sign in needed}
    return sorted(found | {piece.lower() for piece in found} | {piece.upper() for piece in found})


def test_no_match_of_pieces_put_together_is_hidden() -> None:
    chance, known = random.Random(11), pieces()
    lines = ["".join(chance.choice(known) for _ in range(chance.randrange(1, 7))) for _ in range(500)]
    hidden = [
        (tag, rule.needs, line)
        for line in lines
        for tag in TAGS
        for rule in _rules_for(tag)
        if not may_match(rule.needs, signs_in(line)) and list(rule.apply(line))
    ]
    assert hidden == []


def test_most_rules_are_told_from_a_line_without_a_search() -> None:
    signs = signs_in("Your table for two is booked, we look forward to seeing you tonight")
    asked = [rule for rule in _rules_for("en-US") if may_match(rule.needs, signs)]
    assert len(asked) < len(_rules_for("en-US")) / 5


@pytest.mark.parametrize(
    ("needs", "text", "expected"),
    [
        ((), "", True),
        ((DIGIT,), "no figure", False),
        ((DIGIT,), "٣", True),
        ((DIGIT,), "½", False),
        (("/", DIGIT), "3 4", False),
        (("-–", DIGIT), "3–4", True),
    ],
)
def test_needs(needs: tuple[str, ...], text: str, *, expected: bool) -> None:
    assert may_match(needs, signs_in(text)) is expected
