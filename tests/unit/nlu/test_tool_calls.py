"""Calls of tools in what a model writes: every form is read, however it comes in pieces, and none of it is speech."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.engine import TextMade, ToolWanted
from services.nlu.engines.llama_cpp.template import ChatTemplate
from services.nlu.plain_speech import PlainSpeech
from services.nlu.tool_calls import ToolCallReader
from services.nlu.tool_form import ToolForm, beginning_of, form_of
from tests.unit.nlu.gguf_files import LLAMA4_TEMPLATE

NAMES = ("current_time", "book")
BOOK = ("book", {"day": "Tuesday", "name": 'A "B" } ]'})
BOOK_JSON = json.dumps(BOOK[1])
PYTHONIC_TEMPLATE = """\
{%- for message in messages %}{{ '<|' + message.role + '|>' }}
{%- if loop.first and tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}
{%- if message.tool_calls %}[{% for call in message.tool_calls %}{{ call.function.name }}(
{%- for key, value in call.function.arguments.items() %}{{ key }}={{ value | tojson }}{% endfor %}){% endfor %}]
{%- else %}{{ message.content }}{% endif %}{% endfor %}"""
CHATML_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>{% endfor %}"
)
REFUSING_TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}"
)


def read(*pieces: str) -> tuple[str, list[tuple[str, object]]]:
    """The speech, and the calls with their arguments."""
    reader = ToolCallReader(NAMES)
    parts = [part for piece in pieces for part in reader.push(piece)] + reader.finish()
    text = "".join(part.text for part in parts if isinstance(part, TextMade))
    return text, [(part.name, json.loads(part.arguments_json)) for part in parts if isinstance(part, ToolWanted)]


FORMS = {
    "hermes": (f'<tool_call>\n{{"name": "book", "arguments": {BOOK_JSON}}}\n</tool_call>', [BOOK]),
    "hermes twice": (
        f'<tool_call>\n{{"name": "book", "arguments": {BOOK_JSON}}}\n</tool_call>\n'
        '<tool_call>{"name": "current_time", "arguments": {}}</tool_call>',
        [BOOK, ("current_time", {})],
    ),
    "hermes without an end": (f'<tool_call>{{"name": "book", "arguments": {BOOK_JSON}}}', [BOOK]),
    "hermes, an unknown tool": ('<tool_call>{"name": "fly", "arguments": {}}</tool_call>', [("fly", {})]),
    "json": (f'{{"name": "book", "parameters": {BOOK_JSON}}}', [BOOK]),
    "json twice": (
        f'{{"name": "book", "parameters": {BOOK_JSON}}}; {{"name": "current_time", "parameters": {{}}}}',
        [BOOK, ("current_time", {})],
    ),
    "json with type": (
        f'<|python_tag|>{{"type": "function", "name": "book", "parameters": {BOOK_JSON}}}',
        [BOOK],
    ),
    "json list": (
        f'[{{"name": "book", "arguments": {BOOK_JSON}}}, {{"name": "current_time"}}]',
        [BOOK, ("current_time", {})],
    ),
    "pythonic": (f"[book(day='Tuesday', name={BOOK[1]['name']!r})]", [BOOK]),
    "pythonic twice": (
        f"<|python_start|>[book(day='Tuesday', name={BOOK[1]['name']!r}), current_time()]<|python_end|>",
        [BOOK, ("current_time", {})],
    ),
    "pythonic with words of JSON": (
        "[book(a=true, b=None, c=[1, {'d': 2.5}])]",
        [("book", {"a": True, "b": None, "c": [1, {"d": 2.5}]})],
    ),
    "bare": ("current_time(zone='UTC')", [("current_time", {"zone": "UTC"})]),
}


@pytest.mark.parametrize(("written", "calls"), FORMS.values(), ids=FORMS)
def test_a_call_is_read_in_every_form_and_nothing_of_it_is_speech(written: str, calls: list[object]) -> None:
    text, found = read(written)
    assert found == calls
    assert text.strip(" \n;") == ""
    assert read(*f"Let me look. {written}") == (f"Let me look. {text}", calls), "letter by letter"


@given(
    form=st.sampled_from(sorted(FORMS)),
    before=st.sampled_from(["", "Let me look. ", "Of course, one moment: ", "Dạ, "]),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_how_a_reply_is_cut_changes_nothing(form: str, before: str, cuts: list[int]) -> None:
    whole = before + FORMS[form][0]
    borders = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    assert read(*(whole[a:b] for a, b in pairwise(borders))) == read(whole)


@pytest.mark.parametrize(
    "text",
    [
        "We are open from 8 to 17 [on weekdays], and {on request} at night.",
        "Is 3 < 5? I book(ed) it. Facebook(tm) is current.",
        "See [our site] or [laughs(softly)] today.",
        '{"answer": 42} is JSON',
        "I can book(an appointment) for you.",
        "2 < 3 and <b>bold</b>",
        "",
    ],
)
def test_what_is_no_call_goes_on_as_it_is(text: str) -> None:
    assert read(text) == (text, [])
    assert read(*text) == (text, [])


@pytest.mark.parametrize(
    "broken",
    [
        '<tool_call>{"name": "book", "arguments": {"day": "Tues',
        "<tool_call>",
        "<tool_call>I would like to book</tool_call>",
        '{"name": "book", "parameters": {"day": ',
        "book(day='Tue",
        "<tool_call>{'name': book}</tool_call>",
    ],
)
def test_a_broken_call_is_neither_run_nor_spoken(broken: str) -> None:
    for pieces in ((f"Sure. {broken}",), tuple(f"Sure. {broken}")):
        text, calls = read(*pieces)
        speech = PlainSpeech()
        assert (speech.push(text) + speech.finish()).strip() == "Sure."
        assert calls == []


@given(st.text(alphabet="<>/_{}[]()\"'\\:, abtool_callnmeguspykbc1|", max_size=120))
def test_any_text_is_read_to_its_end(text: str) -> None:
    whole, calls = read(text)
    assert read(*text) == (whole, calls)


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (LLAMA4_TEMPLATE, ToolForm.LLAMA_JSON),
        (PYTHONIC_TEMPLATE, ToolForm.PYTHONIC),
        (CHATML_TEMPLATE, None),
        (REFUSING_TEMPLATE, None),
    ],
)
def test_the_form_is_that_of_the_models_own_template(source: str, form: ToolForm | None) -> None:
    assert form_of(ChatTemplate(source)) is form


@pytest.mark.parametrize(
    ("form", "text", "at"),
    [
        (ToolForm.HERMES, "Sure. <tool_call>", 6),
        (ToolForm.HERMES, 'Sure. {"name": "book"', 6),
        (ToolForm.HERMES, 'Sure. {"name": "boo', None),
        (ToolForm.LLAMA_JSON, "{", 0),
        (ToolForm.LLAMA_JSON, "Sure {", None),
        (ToolForm.PYTHONIC, "[current_time(", 0),
        (ToolForm.PYTHONIC, "[current", None),
    ],
)
def test_a_call_begins_where_nothing_else_can(form: ToolForm, text: str, at: int | None) -> None:
    found = beginning_of(form, NAMES).search(text)
    assert (found.start() if found else None) == at
