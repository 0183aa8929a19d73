"""JSON from outside: every way to be wrong is a ValueError."""

import pytest

from services.nlu.agent.acts import read_arguments
from services.nlu.errors import BadState
from services.nlu.state import read_state
from services.runtime.errors import TurnFailed
from services.runtime.json_text import read_json

DEEP = "[" * 20_000


def test_what_is_json_is_read() -> None:
    assert read_json(b'{"a": [1, null]}') == read_json('{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "nonsense", DEEP, '{"a":' * 20_000, b"\xff\xfe"])
def test_what_is_none_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        read_json(text)


def test_a_state_and_arguments_that_nest_without_end_are_their_senders_fault() -> None:
    with pytest.raises(BadState):
        read_state(DEEP.encode())
    with pytest.raises(TurnFailed, match="no JSON object"):
        read_arguments("transfer", DEEP)
