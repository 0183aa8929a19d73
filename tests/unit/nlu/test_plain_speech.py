"""Plain speech: a model's text, made speakable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.plain_speech import PlainSpeech, after_thought


def plain(*pieces: str) -> str:
    speech = PlainSpeech()
    return after_thought("".join(speech.push(piece) for piece in pieces) + speech.finish())


def test_markdown_and_pictures_are_not_spoken() -> None:
    assert plain("**Sure!** 😊\n\n- `Tuesday`\n- Friday") == "Sure! Tuesday, Friday"


@pytest.mark.parametrize(
    "text",
    [
        "Press 1# then *",
        "Press *, then 1.",
        "Dial *100# and wait.",
        "Dial *#06#",
        "Write to john_doe@mail.com today.",
        "Write to front_desk@",
        "It is 38°C, and 2^3 is 8.",
        "2*3 is 6, and 2 * 3 too",
        "+84 28 1234, or 24/7",
        "Go to clinic.com/our_prices#crowns",
        "-5 degrees",
        "You are number #1",
    ],
)
def test_signs_in_keys_addresses_and_figures_stay(text: str) -> None:
    assert plain(text) == text
    assert plain(*text) == text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("# Hours\nWe open at *eight*.", "Hours. We open at eight."),
        ("## Prices:\n* filling\n* crown", "Prices: filling, crown"),
        ("We have:\n+ Tuesday\n+ Friday.", "We have: Tuesday, Friday."),
        ("_Sure_, **8 a.m.** or *(perhaps)* __nine__.", "Sure, 8 a.m. or (perhaps) nine."),
        ("请*注意*。", "请注意。"),
        ("Sure.\n---\nBye.", "Sure. Bye."),
        ("We need:\n- [ ] a card\n- [x] a name", "We need: a card, a name"),
        ("<!DOCTYPE html>Sure.", "Sure."),
        ("5 &lt; 6 &gt; 2 &amp; so on", "5 6 2 & so on"),
        ("Use `ls` or ``x``.", "Use ls or x."),
        ("Sure.<|im_end|>", "Sure."),
        ("Sure,<br/> yes.", "Sure, yes."),
        ("Sure. <|im_end|>\n<|im_start|>user\nHow much?", "Sure."),
        ("Sure.<end_of_turn>\n<start_of_turn>user\nHow much?", "Sure."),
        ("<|im_start|>assistant\nSure.", "Sure."),
        ("See [our site](http://clinic.example/a_b) today.", "See [our site] today."),
        ('Write <a href="mailto:a@b.example">here</a>.', "Write here."),
        ("Fish &amp; chips, AT&T", "Fish & chips, AT&T"),
        ("Dear <user>, we are open & glad.", "Dear , we are open & glad."),
        ("It is < 5 and I <3 it", "It is 5 and I 3 it"),
    ],
)
def test_marks_of_markdown_go(written: str, spoken: str) -> None:
    assert plain(written) == spoken
    assert plain(*written) == spoken


HIDDEN = [
    "<think>The caller {wants} a | date. Secret.</think>",
    "<THINK>\nSecret\n</think >",
    "<tool_call>Secret</tool_call>",
    '{"name": "Secret", "arguments": {"a": "}", "b": "\\"{"}}',
    '[{"Secret": [1, 2]}]',
    '[ "Secret", "x" ]',
    "```json\nSecret `a`\n```",
    "~~~\nSecret\n~~~",
    "\n| Secret | 1 |\n|---|---|\n| Secret | 2 |\n",
    '<think time="3">Secret</think>',
    "<think>a <think>b</think> Secret</think>",
    "< think>Secret</ think>",
    "<inner_monologue>Secret</inner_monologue>",
    "<reasoning_content>Secret</reasoning_content>",
    '<function=look_up>{"a": "Secret"}</function>',
    '<invoke name="x"><parameter name="y">Secret</parameter></invoke>',
    "[THINK]Secret[/THINK]",
    "<!-- Secret <b>a</b> -->",
    "<![CDATA[Secret <b>a</b>]]>",
    "&lt;think&gt;Secret&lt;/think&gt;",
    "&#60;tool_call&#x3E;Secret&#x3c;/tool_call&gt;",
    "<think>Secret</thinking>",
    "<reasoning>a <think>b</think> Secret</reasoning>",
    "◁think▷Secret◁/think▷",
    "<|think|>Secret<|/think|>",
    "<｜begin▁of▁thought｜>Secret<｜end▁of▁thought｜>",
    "<|channel|>analysis<|message|>Secret<|end|><|start|>assistant<|channel|>final<|message|>",
]


@pytest.mark.parametrize("block", HIDDEN)
@pytest.mark.parametrize("is_closed", [True, False])
def test_what_is_no_speech_is_never_spoken_wherever_it_is_cut(block: str, is_closed: bool) -> None:
    after = "Yes, we do." if is_closed else ""
    block = block if is_closed else block[: block.rindex("Secret") + len("Secret")]
    whole = f"Sure. {block} {after}"
    for at in range(len(whole) + 1):
        spoken = plain(whole[:at], whole[at:])
        assert spoken.split() == ["Sure.", *after.split()]
    assert plain(*whole) == plain(whole)


def test_of_a_table_without_borders_its_rows_are_not_spoken() -> None:
    table = "Secret day | Time\n--- | ---\nSecret | Secret\nSecret | 10\n\nWhich suits you?"
    assert plain(*table) == plain(table) == "Which suits you?"
    assert plain(*f"Here it is:\n{table}") == plain(f"Here it is:\n{table}") == "Here it is: Which suits you?"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Open 8 to 5 | Monday to Friday", "Open 8 to 5, Monday to Friday"),
        ("Open 8 to 5 | Monday\nWelcome.", "Open 8 to 5, Monday Welcome."),
        ("We have a | b | c, all of them fine.", "We have a, b, c, all of them fine."),
    ],
)
def test_a_bar_in_a_line_that_is_no_table_is_a_pause(written: str, spoken: str) -> None:
    assert plain(*written) == plain(written) == spoken


THOUGHT_ENDS = (
    "</think>",
    "</thinking>",
    "</ Reasoning >",
    "[/THINK]",
    "◁/think▷",
    "<|/think|>",
    "<｜end▁of▁thought｜>",
)


@pytest.mark.parametrize("end", THOUGHT_ENDS)
def test_of_a_thought_without_a_beginning_only_the_answer_behind_it_is_speech(end: str) -> None:
    written = f"Okay, the caller wants Secret. [hang up]\n- Secret {end}\n\nYes, we do."
    for at in range(len(written) + 1):
        assert plain(written[:at], written[at:]) == "Yes, we do."
    assert plain(*written) == "Yes, we do."


def test_a_thought_with_a_beginning_that_is_closed_twice_takes_no_answer_back() -> None:
    assert plain("<think>Secret</think>Yes, we do.</think> Come in.") == "Yes, we do. Come in."


def test_a_hang_up_that_was_only_thought_of_is_none() -> None:
    speech = PlainSpeech()
    speech.push("I could [hang up] now.</think>Yes.")
    assert not speech.wants_hang_up


def test_short_first_words_wait_for_nothing_once_a_clause_may_end_in_them() -> None:
    assert PlainSpeech().push("Sure, ") == "Sure,"
    assert PlainSpeech().push("好的，") == "好的，"
    assert PlainSpeech().push("We are open from eight") == "We are open from eight"


def test_a_letter_of_any_language_is_kept() -> None:
    assert plain("Dạ, được ạ. Хорошо. 好的，再见。") == "Dạ, được ạ. Хорошо. 好的，再见。"


def test_white_space_at_both_ends_is_dropped() -> None:
    assert plain(" ", "Hello", " ", "\n") == "Hello"


def test_the_mark_to_hang_up_is_taken_out_even_in_pieces() -> None:
    speech = PlainSpeech()
    spoken = "".join(speech.push(piece) for piece in ("Goodbye", "! [ha", "ng ", "up]")) + speech.finish()
    assert spoken == "Goodbye!"
    assert speech.wants_hang_up


def test_what_only_begins_like_the_mark_is_spoken() -> None:
    assert plain("See [ha", "lf] now") == "See [half] now"


@given(st.lists(st.one_of(st.text(max_size=8), st.text('<think>/*_#-+|`~{}[]"\\ \n1a^', max_size=8)), max_size=8))
def test_how_it_is_cut_into_pieces_changes_nothing(pieces: list[str]) -> None:
    assert plain(*pieces) == plain("".join(pieces))
