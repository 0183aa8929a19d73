"""Arguments and answers held against schemas of others: what is refused, and that no schema takes long."""

import json
import time
from typing import Any

import pytest

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.rest.answers import without_secrets
from services.nlu.tools.schemas import MOST_STEPS_OF_ANSWERS, by_schema

DOUBLING: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
DOUBLING["d60"] = {"type": "object"}
NESTED = [[1] * 300] * 60
LONG = [["x" * 20] * 20_000]
BOOKING = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": r"^\p{L}[\p{L} ]*$"}, "nights": {"type": "integer"}},
    "patternProperties": {"^x-": {"type": "string"}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"name": "Anna 2"}, "name: .*does not match"),
        ({"nights": "two"}, "nights"),
        ({"x-note": 1}, "x-note"),
        ({"room": 1}, "there is no 'room'"),
        ({"room": 1, "x-note": "a"}, "there is no 'room'"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ToolRefused, match=why):
        by_schema(BOOKING)(arguments)


def test_what_fits_is_taken() -> None:
    given = {"name": "Đặng Thị", "nights": 2, "x-note": "late"}
    assert by_schema(BOOKING)(given) == given
    pairs = by_schema({"properties": {"a": {"uniqueItems": True}, "b": {"uniqueItems": False}}})
    assert pairs({"a": [1, True, "1", {"x": 1}], "b": [1, 1]})
    for twice in ([1, 1.0], [{"x": 1, "y": 2}, {"y": 2, "x": 1}], [[1], [1]]):
        with pytest.raises(ToolRefused, match="a: two items"):
            pairs({"a": twice})
    others = by_schema({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}})
    assert others({"a": "x", "b": 1})
    with pytest.raises(ToolRefused, match="b: "):
        others({"b": "x"})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"properties": {"a": {"pattern": "("}}},
        {"patternProperties": {r"(a)\1": {}}},
        {"$defs": {"a": {"properties": {"pattern": {"pattern": "(?i)a"}}}}},
        {"unevaluatedProperties": False, "allOf": [{"patternProperties": {"^(a+)+$": {}}}]},
        {"unevaluatedProperties": False, "dependentSchemas": {"a": {"$ref": "#"}}},
        {"description": "x" * 100_000},
        json.loads('{"not":' * 900 + "{}" + "}" * 900),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        by_schema(schema)


def test_a_property_may_be_called_pattern() -> None:
    schema = {"properties": {"pattern": {"type": "string"}, "a": {"enum": [{"pattern": "("}]}}}
    assert by_schema(schema)({"pattern": "(", "a": {"pattern": "("}})


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 20_000 + "!"}),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 20_000 + "!": 1}),
        ({"propertyNames": {"pattern": "(.*a){30}$"}}, {"b" * 20_000: 1}),
        ({"$ref": "#/$defs/d0", "$defs": DOUBLING}, {}),
        ({"unevaluatedProperties": False, "$ref": "#/$defs/d0", "$defs": DOUBLING}, {"a": 1}),
        ({"$ref": "#"}, {}),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[n % 7, {}] for n in range(100_000)]}),
        ({"properties": {"a": {"items": {"enum": list(range(5000))}}}}, {"a": [-1] * 100_000}),
        ({"properties": {"a": {"items": {"not": {}}}}}, {"a": [1] * 200_000}),
        ({"properties": {"a": {"contains": {"pattern": "^(a|a)*$"}}}}, {"a": ["a" * 500 + "!"] * 1000}),
        ({"properties": {"a": {"anyOf": [{"type": "null"}] * 3000}}}, {"a": LONG}),
        ({"properties": {"a": {"allOf": [{"uniqueItems": True}] * 1000}}}, {"a": [[[1] * 300_000]]}),
        (
            {"$defs": {"c": {"const": NESTED}}, "properties": {"a": {"allOf": [{"$ref": "#/$defs/c"}] * 300}}},
            {"a": [list(each) for each in NESTED]},
        ),
        (
            {
                "$defs": {
                    "c": {"$anchor": "c", "minProperties": 9},
                    "d": {"properties": {f"p{n}": {} for n in range(2000)}},
                },
                "anyOf": [{"$ref": "#c"}] * 500,
            },
            {},
        ),
        ({"properties": {"a": {"items": False, "prefixItems": [{}], "unevaluatedItems": False}}}, {"a": [1] * 200_000}),
        ({"properties": {"a": {"contains": {"const": 1}, "unevaluatedItems": False}}}, {"a": [1, 2] * 5_000}),
        ({"unevaluatedProperties": False}, {f"p{n}": 1 for n in range(100_000)}),
    ],
)
@pytest.mark.parametrize("most_steps", [30_000, MOST_STEPS_OF_ANSWERS])
def test_no_schema_takes_long(schema: dict[str, Any], arguments: dict[str, Any], most_steps: int) -> None:
    check = by_schema(schema, most_steps=most_steps)
    began = time.process_time()
    with pytest.raises(ToolRefused):
        check(arguments)
    assert time.process_time() - began < most_steps / 30_000 * 1.0 + 1.0


@pytest.mark.parametrize("written", ["ab%2Bc%2F%3D%3D%22d", "ab%2Bc/%3D%3D%22d", "ab+c/==&quot;d"])
def test_a_secret_is_taken_out_as_it_stands_in_a_url_or_a_page(written: str) -> None:
    assert without_secrets(f"at /x?key={written}&b=1".encode(), ['ab+c/=="d']) == b"at /x?key=***&b=1"


def test_the_longer_of_two_secrets_leaves_no_rest() -> None:
    assert without_secrets(b"key abcdef-ghijkl", ["abcdef", "abcdef-ghijkl"]) == b"key ***"


def test_what_is_left_over_is_held_against_a_schema() -> None:
    check = by_schema(
        {
            "allOf": [
                {"properties": {"a": {"prefixItems": [{}], "contains": {"const": 7}, "unevaluatedItems": False}}}
            ],
            "unevaluatedProperties": {"type": "string"},
        }
    )
    assert check({"a": ["first", 7, 7], "b": "x"})
    for wrong, why in (({"a": ["first", 7, 8]}, "items|'a'"), ({"b": 1}, "not as .*'b'")):
        with pytest.raises(ToolRefused, match=why):
            check(wrong)
