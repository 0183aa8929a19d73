"""The ledger of heard words, against random voices, timings, interruptions and holds.

The oracle knows nothing of the ledger: every sample of the voice says which it is, so what left on the line tells which
samples were heard, and the script of the voice tells which words lay there.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audio.pcm import AudioFormat, Encoding
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.line import EndCause, HoldChanged, LegEnded, PlayedUpTo
from tests.unit.call_gateway.conversation.driver import FRAME_MS, Call

LINEAR16 = AudioFormat(Encoding.LINEAR16, 8000)
SAMPLES_PER_MS = 8
FRAME = FRAME_MS * SAMPLES_PER_MS

words = st.text(alphabet="abcdefg", min_size=1, max_size=9)
punctuation = st.sampled_from([" ", ", ", ". ", "  "])


@dataclass(frozen=True)
class Script:
    """Script of a voice: each word with the sample it ends at."""

    text: str
    ends: tuple[int, ...]  # offset after the last letter of each word
    samples: tuple[int, ...]  # first sample after each word
    n_samples: int
    marks: tuple[tuple[int, int], ...]
    is_measured: bool


@st.composite
def measured_scripts(draw: st.DrawFn) -> Script:
    """An engine that measures every word."""
    text, ends, samples, at = "", [], [], 0
    for word in draw(st.lists(words, min_size=1, max_size=12)):
        text += word
        at += draw(st.integers(200, 2500))
        ends.append(len(text))
        samples.append(at)
        text += draw(punctuation)
    return Script(text, tuple(ends), tuple(samples), at, tuple(zip(ends, samples, strict=True)), True)


@st.composite
def clause_scripts(draw: st.DrawFn) -> Script:
    """An engine that knows only where its clauses end: inside, words lie by their length."""
    text, ends, samples, marks, at = "", [], [], [], 0
    for _ in range(draw(st.integers(1, 4))):
        start, began = len(text), at
        letters = draw(st.lists(words, min_size=1, max_size=5))
        places = []
        for word in letters:
            text += word
            places.append(len(text))
            text += " "
        at += draw(st.integers(500, 8000))
        length = len(text) - start
        for place in places:
            ends.append(place)
            share = (place - start) * (at - began)
            samples.append(began + -(-share // length))
        marks.append((len(text), at))
    return Script(text, tuple(ends), tuple(samples), at, tuple(marks), False)


actions = st.lists(
    st.tuples(st.integers(20, 900), st.sampled_from(["cough", "hold", "interrupt", "hang_up", "wait", "wait"])),
    max_size=8,
)


def heard_by_oracle(script: Script, furthest: int, *, is_ended: bool = True) -> str:
    """The text up to the end of the last word whose every sample was heard."""
    if is_ended and furthest >= script.n_samples:
        return script.text
    whole = [end for end, sample in zip(script.ends, script.samples, strict=True) if sample <= furthest]
    marked = [offset for offset, sample in script.marks if sample <= furthest]
    return script.text[: max([0, *whole, *marked])]


def furthest_sample(call: Call, *, limit_ms: int | None = None) -> int:
    """One more than the highest sample of the answer that left on the line; samples say who they are, from 1."""
    highest = 0
    for _, content in call.frames:
        if content is not None:
            highest = max(highest, int(np.frombuffer(content, dtype="<i2").max()))
    return highest


def send_voice(
    call: Call, turn_id: int, script: Script, chunk_samples: int, *, from_sample: int, to_sample: int
) -> None:
    """The marks leave before the chunk that holds their last sample, or in it: both kinds of voice take turns."""
    at = from_sample
    while at < to_sample:
        end = min(at + chunk_samples, to_sample)
        marks = [
            ev.VoiceMark(turn_id, offset, sample, script.is_measured)
            for offset, sample in script.marks
            if at < sample <= end
        ]
        content = np.arange(at + 1, end + 1, dtype="<i2").tobytes()
        if at // chunk_samples % 2:
            for mark in marks:
                call.tell(mark)
            marks = []
        call.tell(ev.VoiceAudio(turn_id, at, content, marks=tuple(marks)))
        at = end


def play(call: Call, script: Script, chunk_samples: int, steps: list[tuple[int, str]]) -> int:
    """Run the script of the caller against the voice. Returns the turn."""
    turn_id = call.ask("a question")
    call.clause(turn_id, script.text)
    call.end_reply(turn_id)
    call.forget()
    send_voice(call, turn_id, script, chunk_samples, from_sample=0, to_sample=script.n_samples)
    call.end_voice(turn_id)
    for wait_ms, action in steps:
        call.wait(wait_ms)
        if call.floor is not Floor.SPEAKING:
            break
        match action:
            case "cough":
                call.begin_speech()
                call.wait(200)
                call.stop_speech()
                call.draft("")
            case "hold":
                call.tell(HoldChanged(True))
                call.wait(400)
                call.tell(HoldChanged(False))
            case "interrupt":
                call.begin_speech()
                call.wait(600)
                break
            case "hang_up":
                call.tell(LegEnded(EndCause.CALLER))
                break
    else:
        call.wait(script.n_samples // SAMPLES_PER_MS + 200)
    if call.floor is Floor.SPEAKING:
        call.wait(script.n_samples // SAMPLES_PER_MS + 4000)
    return turn_id


def assert_heard_is_what_was_played(call: Call, script: Script, turn_id: int) -> None:
    expected = heard_by_oracle(script, furthest_sample(call))
    assert call.record(turn_id).heard_text == expected
    reports = [report for report in call.all(cmd.ReportPlayout) if report.turn_id == turn_id and report.is_final]
    assert [report.heard_offset for report in reports] == [len(expected)]
    turns = [turn for turn in call.conversation.history if turn.turn_id == turn_id]
    assert [turn.heard_text for turn in turns] == [expected] or (expected == "" and not turns)


@settings(max_examples=100)
@given(script=measured_scripts(), chunk_samples=st.integers(80, 4000), steps=actions)
def test_with_measured_words_never_a_word_more_or_less_than_was_played(
    script: Script, chunk_samples: int, steps: list[tuple[int, str]]
):
    call = Call(audio_format=LINEAR16).greeted()
    assert_heard_is_what_was_played(call, script, play(call, script, chunk_samples, steps))


@settings(max_examples=100)
@given(script=clause_scripts(), chunk_samples=st.integers(80, 4000), steps=actions)
def test_without_word_timing_words_lie_in_their_clause_by_length(
    script: Script, chunk_samples: int, steps: list[tuple[int, str]]
):
    call = Call(audio_format=LINEAR16).greeted()
    assert_heard_is_what_was_played(call, script, play(call, script, chunk_samples, steps))


@settings(max_examples=100)
@given(
    script=measured_scripts(),
    chunk_samples=st.integers(80, 2000),
    chunks_a_frame=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    listen_ms=st.integers(0, 3000),
)
def test_speech_that_is_still_being_made_is_heard_as_far_as_it_was_played(
    script: Script, chunk_samples: int, chunks_a_frame: list[int], listen_ms: int
):
    call = Call(audio_format=LINEAR16).greeted()
    turn_id = call.ask("a question")
    call.clause(turn_id, script.text)
    call.end_reply(turn_id)
    call.forget()
    sent = 0
    for index in range(listen_ms // FRAME_MS):
        ready = min(sent + chunk_samples * chunks_a_frame[index % len(chunks_a_frame)], script.n_samples)
        send_voice(call, turn_id, script, chunk_samples, from_sample=sent, to_sample=ready)
        sent = ready
        call.wait(FRAME_MS)
    call.tell(LegEnded(EndCause.CALLER))
    expected = heard_by_oracle(script, furthest_sample(call), is_ended=False)
    assert call.record(turn_id).heard_text == expected


@settings(max_examples=60)
@given(script=measured_scripts(), pauses=st.lists(st.integers(20, 400), min_size=1, max_size=6))
def test_every_sample_is_played_in_order_and_a_broken_word_from_its_start(script: Script, pauses: list[int]):
    call = Call(audio_format=LINEAR16).greeted()
    play(call, script, 800, [(pause, "cough") for pause in pauses])
    starts = {0, *script.samples}
    expected = 1
    for _, content in call.frames:
        if content is None:
            continue
        samples = [int(sample) for sample in np.frombuffer(content, dtype="<i2")]
        first = samples[0]
        assert first == expected or first - 1 in starts, (first, expected)
        assert first <= expected, "nothing is left out"
        sound = [sample for sample in samples if sample]
        assert sound == list(range(first, first + len(sound)))
        expected = first + len(sound)
    assert expected == script.n_samples + 1


@settings(max_examples=100)
@given(
    script=measured_scripts(),
    listen_ms=st.integers(40, 4000),
    behind=st.lists(st.integers(0, 3000), min_size=1, max_size=20),
)
def test_a_far_side_that_tells_is_believed_to_the_sample(script: Script, listen_ms: int, behind: list[int]):
    """Sound that was sent and not played when the caller interrupts was never heard."""
    call = Call(audio_format=LINEAR16).greeted()
    pulls_before = call.ms // FRAME_MS
    call.tell(PlayedUpTo(pulls_before * FRAME))
    turn_id = call.ask("a question")
    call.clause(turn_id, script.text)
    call.end_reply(turn_id)
    send_voice(call, turn_id, script, 800, from_sample=0, to_sample=script.n_samples)
    call.end_voice(turn_id)
    call.frames.clear()
    base_line_sample = (call.ms // FRAME_MS) * FRAME
    told = base_line_sample
    for index in range(listen_ms // FRAME_MS):
        call.wait(FRAME_MS)
        line_sample = (call.ms // FRAME_MS) * FRAME
        told = max(told, line_sample - behind[index % len(behind)])
        call.tell(PlayedUpTo(told))
    furthest = 0
    for when, content in call.frames:
        start = (when // FRAME_MS - 1) * FRAME
        if content is None or start >= told:
            continue
        samples = np.frombuffer(content, dtype="<i2")[: told - start]
        furthest = max(furthest, int(samples.max()))
    call.tell(LegEnded(EndCause.CALLER))
    assert call.record(turn_id).heard_text == heard_by_oracle(script, furthest)
