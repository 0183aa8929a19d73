"""Small parts by themselves: prompts by language, lists of words, history."""

import pytest

from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.barge_in import backchannels
from services.call_gateway.conversation.record import HeardTurn, History
from services.call_gateway.prompts.book import PromptBook, PromptKind, RenderedPrompt
from services.language.words import normalise

SORRY = PromptKind.APOLOGY


def book(*codes: str) -> PromptBook:
    prompts = PromptBook()
    for code in codes:
        prompts.add(SORRY, code, RenderedPrompt(code, b"\xff"))
    return prompts


@pytest.mark.parametrize(
    ("codes", "asked", "found"),
    [
        (("en", "vi"), "vi", "vi"),
        (("en", "vi"), "vi-VN", "vi"),
        (("en", "vi-VN", "vi"), "vi-vn", "vi-VN"),
        (("en", "vi"), "ru", "en"),
        (("vi",), "ru", "vi"),
        (("en",), "", "en"),
    ],
)
def test_a_prompt_is_found_in_the_nearest_language(codes: tuple[str, ...], asked: str, found: str):
    prompt = book(*codes).find(SORRY, asked)
    assert prompt is not None
    assert prompt.text == found


def test_a_kind_the_book_does_not_have_is_not_found():
    assert book("en").find(PromptKind.GOODBYE, "en") is None


@pytest.mark.parametrize("phrase", ["Uh-huh.", "mm-hmm", "Dạ", "vâng ạ", "Ага!", "嗯。", "OK"])
def test_what_people_say_while_they_listen_is_listed(phrase: str):
    assert normalise(phrase) in backchannels()


@pytest.mark.parametrize("phrase", ["no", "wait", "stop", "yes", "không", "khoan", "нет", "стоп", "不", "等等", ""])
def test_what_people_say_to_be_heard_is_not(phrase: str):
    assert normalise(phrase) not in backchannels()


def test_history_forgets_the_oldest():
    history = History(max_turns=2)
    for turn_id in (1, 2, 3):
        history.add(HeardTurn(turn_id, "", str(turn_id)))
    assert [turn.turn_id for turn in history.turns] == [2, 3]


def test_a_tool_that_ends_after_its_turn_is_in_the_history():
    history = History(max_turns=10)
    history.on_tool(ev.ToolUsed(2, "tool-1", "book", ev.ToolState.RUNNING, arguments_json='{"day": 1}'))
    history.add(HeardTurn(2, "book it", "Yes."))
    assert history.runs_tool(2)
    history.on_tool(ev.ToolUsed(2, "tool-1", "book", ev.ToolState.COMPLETED, result_json='{"ok": true}'))
    (tool,) = history.turns[0].tool_calls
    assert (tool.name, tool.arguments_json, tool.result_json) == ("book", '{"day": 1}', '{"ok": true}')
    assert not history.runs_tool(2)
