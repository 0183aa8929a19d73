"""A call's arguments are held against the schema of its tool, whoever wrote that, in bounded time."""

import json
import time
from typing import Any

import pytest

from services.nlu.agent.argument_check import ArgumentsRefused, read_call


def test_what_does_not_fit_is_refused_and_what_fits_is_taken() -> None:
    schema = json.dumps({"properties": {"name": {"pattern": r"^\p{L}+$"}}, "required": ["name"]})
    assert read_call('{"name": "Đặng"}', schema) == {"name": "Đặng"}
    for wrong in ('{"name": "Anna 2"}', "{}", "[]", "no"):
        with pytest.raises(ArgumentsRefused, match="the arguments"):
            read_call(wrong, schema)


def test_a_schema_that_is_none_holds_nothing_back() -> None:
    assert read_call('{"a": 1}', '{"type": "nothing"}') == {"a": 1}
    assert read_call("", "") == {}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 10_000 + "!"}),
        ({"$ref": "#"}, {}),
        ({"$ref": "https://example.com/schema"}, {}),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, {}),
    ],
)
def test_no_schema_holds_the_loop(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    began = time.process_time()
    with pytest.raises(ArgumentsRefused):
        read_call(json.dumps(arguments), json.dumps(schema))
    assert time.process_time() - began < 2.0
