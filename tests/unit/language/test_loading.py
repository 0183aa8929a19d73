"""Loading of languages: all is read and compiled before the first call, never in one."""

import re
from collections.abc import Iterator

import pytest

from services.call_gateway.conversation.barge_in import backchannels, is_stop_command, stop_commands
from services.language import clauses, data, number_words, numerals, plain_toml
from services.language.clauses import unfinished_by_a_dot
from services.language.reading import normalizer
from services.language.script import script_of
from services.nlu.agent.ending import caller_ends
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.language import reply_language
from services.nlu.agent.phrases import expected_after, load_languages, phrases_of
from services.nlu.clauses import ClauseCutter
from services.stt_proxy.end_of_turn.ending_model import load_ending_models
from services.stt_proxy.end_of_turn.evidence import Evidence
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import Hints
from services.stt_proxy.grammar import load_grammars
from services.stt_proxy.inventions import is_invented, load_inventions
from services.stt_proxy.phrasebook import load_phrasebooks, phrasebook_of

TAGS = ("en-US", "en-GB", "vi-VN", "ru-RU", "zh-CN", "VI", "ja-JP", "fr", "x-klingon", "a" * 200)
TEXT = "Dr. Nguyễn said: wait... 我想预约明天, если можно, at 10/11 for $20? Mon-Fri, our FAQs, thứ 2, 4, ½ 3 мая"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files read and patterns compiled after every service has loaded."""
    data.forget()
    backchannels()
    stop_commands()
    load_languages()
    load_phrasebooks()
    load_grammars()
    load_ending_models()
    load_inventions()
    load_farewells()
    clauses.load()
    normalizer.load()
    number_words.load()
    read, compile_ = plain_toml.loads, re._compiler.compile  # type: ignore[attr-defined]  # beneath re's own cache
    found: list[str] = []
    monkeypatch.setattr(plain_toml, "loads", lambda text: found.append(text[:40]) or read(text))
    monkeypatch.setattr(re._compiler, "compile", lambda *args: found.append(str(args[0])[:40]) or compile_(*args))  # type: ignore[attr-defined]
    re.purge()
    yield found
    monkeypatch.undo()
    data.forget()


@pytest.mark.parametrize("tag", TAGS)
def test_a_call_reads_and_compiles_nothing(tag: str, done: list[str]) -> None:
    judge(Evidence(TEXT, phrasebook_of(tag), Hints()), Waits())
    caller_ends(TEXT, last_heard=TEXT, language_code=tag)
    expected_after(TEXT, language_code=tag)
    reply_language(TEXT, detected=tag, current="en-US", spoken=("en-US", "vi-VN"))
    ClauseCutter().push(TEXT)
    unfinished_by_a_dot(tag)
    script_of(tag)
    phrases_of(tag)
    numerals.find_numbers(TEXT, tag)
    is_invented(TEXT, tag, 0.1, 0.1)
    is_stop_command(("stop",))
    clauses.is_abbreviated("dr", " Lee", tag)
    normalizer.Normalizer().speak(TEXT, tag)
    assert done == []


def test_made_up_tags_leave_nothing_behind() -> None:
    assert len({id(phrasebook_of(f"x{number}")) for number in range(100)}) == 1
    assert len({id(script_of(f"x{number}")) for number in range(100)}) == 1
    assert len({id(number_words.number_words(f"x{number}")) for number in range(100)}) == 1
    kept = normalizer._rules.cache_info().currsize  # type: ignore[attr-defined]  # of functools.cache
    for number in range(100):
        normalizer.Normalizer().speak("5 km", f"x{number}")
    assert normalizer._rules.cache_info().currsize == kept  # type: ignore[attr-defined]
