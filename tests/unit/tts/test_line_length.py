"""No line takes longer to say than a voice can begin soon, whatever its text is read as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audio.pcm import TELEPHONE
from services.language.reading.normalizer import Normalizer
from services.tts.engine import Voice
from services.tts.line_length import LONGEST_LINE_S, lines_of, spoken_s
from services.tts.ready import Mark
from services.tts.router import Router
from services.tts.say_as import SayAs, read_as
from services.tts.sentences import Clause, SpeechParameters
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText
from tests.unit.tts.voices import PlainEngine

LANGUAGES = ("en-US", "vi-VN", "ru-RU", "zh-CN")
LONG_TO_SAY = {
    "digits": "1234567890" * 24,
    "numbers": "1,234,567 " * 24,
    "a word": "x" * 240,
    "capitals": "AXBZ" * 60,
    "an address": "https://www.example.com/" + "a-b/" * 54,
    "signs": "\u6211\u4eec\u516b\u70b9\u5f00\u95e8" * 40,
    "a list": "apple banana cherry " * 12,
    "marks": "a" + "!?" * 119 + "b",
    "marks above letters": "e\u0301\u0302\u0303" * 60,
}


async def spoken_lines(text: str, language_code: str) -> tuple[list[str], list[Mark]]:
    """The lines that an engine is given for a turn of that text, and the turn's marks."""
    engine = PlainEngine(voices=(Voice("plain", LANGUAGES),))
    pauses = Pauses(220, 110, 30)
    speaker = TurnSpeaker(
        Router({"*": engine}), Normalizer(), TELEPHONE, lengths=ChunkLengths(20, 100), pauses=pauses, max_lead_ms=0
    )
    turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(5000, 240)))
    turn.text.append(text, SpeechParameters(language_code, "", 1.0), flush=False)
    turn.text.end()
    outputs = [output async for output in speaker.speak(turn)]
    return [line.text for line in engine.lines], [output for output in outputs if isinstance(output, Mark)]


@pytest.mark.parametrize("language_code", LANGUAGES)
@pytest.mark.parametrize("text", LONG_TO_SAY.values(), ids=LONG_TO_SAY)
async def test_no_line_is_longer_than_a_voice_can_begin_soon(text: str, language_code: str) -> None:
    lines, marks = await spoken_lines(text, language_code)
    assert max(map(spoken_s, lines)) <= LONGEST_LINE_S
    ends = [mark.text_end_offset for mark in marks]
    assert ends == sorted(set(ends))
    assert ends[-1] == len(text)


@pytest.mark.parametrize("say_as", [None, *SayAs])
def test_whatever_a_text_is_said_as_none_of_it_is_lost(say_as: SayAs | None) -> None:
    text, normalizer = "0912 345 678, " * 17, Normalizer()
    clause = Clause(text, 7, SpeechParameters("en-US", "", 1.0, say_as=say_as), pause_ms=300)
    lines = lines_of(
        clause, lambda one: (say_as and read_as(one.text, "en-US", say_as)) or normalizer.speak(one.text, "en-US")
    )
    parts = [part for part, _ in lines]
    assert len(parts) > 1
    assert "".join(part.text for part in parts) == text
    assert [part.start_offset for part in parts[1:]] == [part.end_offset for part in parts[:-1]]
    assert [part.pause_ms for part in parts] == [300, *[None] * (len(parts) - 1)]
    assert all(part.text.endswith("678, ") for part in parts), "no number is cut in two"


def test_sounds_that_are_given_are_one_line() -> None:
    clause = Clause("1" * 240, 0, SpeechParameters("en-US", "", 1.0, ipa="w\u028cn"))
    assert len(lines_of(clause, lambda one: Normalizer().speak(one.text, "en-US"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Your appointment is on Tuesday, December 1 at 10:30 a.m. with Doctor Nguyen, cleaning costs 1,250,000 dong.",
        "\u60a8\u7684\u9884\u7ea6\u662f\u661f\u671f\u4e8c\u4e0a\u5348\u5341\u70b9\uff0c\u8bf7\u51c6\u65f6\u5230\u3002",
        "THE CLINIC IS CLOSED ON MONDAY AND ALL APPOINTMENTS OF THAT DAY HAVE BEEN MOVED TO WEDNESDAY MORNING.",
    ],
)
def test_a_sentence_as_agents_say_it_stays_one_line(text: str) -> None:
    clause = Clause(text, 0, SpeechParameters("en-US", "", 1.0))
    assert len(lines_of(clause, lambda one: Normalizer().speak(one.text, "en-US"))) == 1


@given(st.text(alphabet="9Ax \u4f60e\u0301\u200d,.!\U0001f600", min_size=1, max_size=240))
def test_the_parts_of_any_clause_are_the_clause(text: str) -> None:
    clause = Clause(text, 0, SpeechParameters("en-US", "", 1.0))
    lines = lines_of(clause, lambda one: Normalizer().speak(one.text, "en-US"))
    assert "".join(part.text for part, _ in lines) == text


@pytest.mark.parametrize("before", range(44, 66))
async def test_a_number_in_a_text_without_blanks_is_not_cut(before: int) -> None:
    text = "\u60a8" * before + "12500000" + "\u8bf7" * (109 - before)
    lines, _ = await spoken_lines(text, "zh-CN")
    assert len(lines) > 1
    assert any("\u4e00\u5343\u4e8c\u767e\u4e94\u5341\u4e07" in line for line in lines)
