"""Expressions of others' schemas: what they find, and that none of them takes long."""

import contextlib
import random
import re
import time

import pytest

from services.nlu.tools.pattern_search import TooLong
from services.nlu.tools.patterns import BadPattern, Pattern

_ATOMS = ("a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\w", "1", "[a-c]")
_ASSERTIONS = (r"\b", r"\B", "^", "$", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", "(?=a|bc)")
_QUANTIFIERS = ("*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?")


def is_in(pattern: str, text: str) -> bool:
    return Pattern(pattern).search(text, most_steps=100_000)[0]


def written_at_random(dice: random.Random, depth: int = 0) -> str:
    kind = dice.random()
    if depth > 3 or kind < 0.4:
        return dice.choice(_ATOMS + _ASSERTIONS)
    if kind < 0.6:
        return written_at_random(dice, depth + 1) + written_at_random(dice, depth + 1)
    if kind < 0.75:
        return f"(?:{written_at_random(dice, depth + 1)}|{written_at_random(dice, depth + 1)})"
    return f"(?:{written_at_random(dice, depth + 1)}){dice.choice(_QUANTIFIERS)}"


def test_it_finds_what_re_finds() -> None:
    dice = random.Random(15)
    for _ in range(4000):
        pattern = written_at_random(dice)
        text = "".join(
            dice.choice("abc1 ") for _ in range(dice.randint(1, 7))
        )  # in an empty text Python alone finds no \B
        assert is_in(pattern, text) == bool(re.search(pattern, text)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"^\p{Lu}\p{Ll}+$", "Đặng", True),
        (r"^\P{L}+$", "a1", False),
        (r"^\p{gc=Nd}{3}$", "123", True),
        (r"^\u0041\x42\cJ\u{1F600}$", "AB\n\U0001f600", True),
        (r"^\ud83d\ude00$", "\U0001f600", True),
        (r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$", "anna.b@example.com", True),
        (r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$", "anna@example.com\n", False),  # `$` is the end, and nothing before it
        (r"^(?<year>\d{4})-\d{2}$", "2026-12", True),
        (r"^\d+$", "١٢", False),  # digits of ECMA-262 are those of ASCII
        (r"^\ud800\u0041$", "\ud800A", True),  # the first half of a pair, alone
        (r"^\p{LC}+$", "aB", True),
        (r"^[a-cb-fx-z\d]+$", "adfyz9", True),
        (r"[a-cb-fx-z]", "gw", False),
        (r"^(?:a|bb|ccc|)$", "ccc", True),
        (r"^(?:a|bb|ccc)$", "cc", False),
        (r"[]", "a", False),
        (r"[^]", "a", True),
        (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "Passw0rd", True),
        (r"^(?=.*[A-Z])(?=.*\d).{8,}$", "password", False),
    ],
)
def test_it_reads_the_syntax_of_ecma(pattern: str, text: str, expected: bool) -> None:
    assert is_in(pattern, text) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a)",
        "[a",
        "*a",
        "a**",
        "a{2",
        "a{3,2}",
        "{2}",
        r"\1",
        r"(a)\1",
        r"(?<n>a)\k<n>",
        "(?i)a",
        "(?>a)",
        "^*",
        "[b-a]",
        r"[\d-z]",
        r"\q",
        r"\u12",
        r"\p{Script=Greek}",
        r"\xg0",
        "\\",
        "(a{1000}){1000}",
        "|".join("ab" * 10_000),
        "(?=a{3000})" * 10,
        r"\p{Script=L}",
        r"\p{Lx}",
        r"\x+1",
        r"\udbff\u00zz",
        "(?P<n>a)",
        "(?(1)a|b)",
        r"\u{110000}",
        "a{999999999}",
        "(" * 50 + "a" + ")" * 50,
        "(" * 5000,
    ],
)
def test_what_cannot_be_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(pattern)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 20_000 + "!"),
        ("(.*a){20}$", "b" * 20_000),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 20_000),
        ("(?=.*x)(?=.*y)z", "a" * 20_000),
        ("(?<=x.*)z", "x" + "a" * 20_000),
        ("(x?){500}x{500}$", "x" * 499),
        ("((a*)*)*b", "a" * 20_000),
        ("[" + r"\d\S\p{Lu}" * 4000 + "]{2}!", "١" * 20_000),
        ("[" + "".join(f"{chr(n)}-{chr(n + 1)}" for n in range(0x4E00, 0x9E00, 3)) + "]!", "a" * 20_000),
    ],
)
def test_no_expression_takes_long(pattern: str, text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(TooLong):
        assert not is_in(pattern, text)
    assert time.process_time() - began < 5.0
