"""Whatever comes, in whatever order: the rules that always hold."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from tests.unit.call_gateway.conversation.driver import Call

TEXTS = st.sampled_from(["", "yes", "uh-huh", "a table for two", "a table for ten", "wait", "…"])
STAGES = st.sampled_from(list(ev.Stage))
OUTCOMES = st.sampled_from(list(ev.Outcome))

# Turn ids and samples are told as distances from the present, so that most events hit something.
single_events = st.one_of(
    st.tuples(st.just("speech_began"), st.integers(-2000, 0)),
    st.tuples(st.just("speech_stopped"), st.integers(-2000, 0)),
    st.tuples(st.just("text"), st.integers(-2000, 0), st.sampled_from(list(ev.TextStage)), TEXTS),
    st.tuples(st.just("keyword"), st.integers(-2000, 0)),
    st.tuples(st.just("predicted"), st.integers(-2000, 0), st.integers(0, 1500)),
    st.tuples(st.just("settled"), TEXTS, st.booleans()),
    st.tuples(st.just("clause"), st.integers(-2, 1), st.sampled_from(["Sure, ", "of course. ", "…", "Right?"])),
    st.tuples(st.just("reply_ended"), st.integers(-2, 1), OUTCOMES, st.booleans()),
    st.tuples(st.just("mark"), st.integers(-2, 1), st.integers(0, 20), st.integers(0, 8000)),
    st.tuples(st.just("audio"), st.integers(-2, 1), st.integers(0, 4000), st.integers(0, 4000)),
    st.tuples(st.just("voice_ended"), st.integers(-2, 1), OUTCOMES, st.booleans()),
    st.tuples(st.just("action"), st.integers(-2, 1), st.booleans(), st.booleans()),
    st.tuples(st.just("tool"), st.integers(-2, 1), st.sampled_from(ev.ToolState)),
    st.tuples(st.just("expected"), st.integers(-2, 1), st.integers(0, 4)),
    st.tuples(st.just("key"), st.sampled_from("0123456789*#")),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("played"), st.integers(-4000, 200)),
    st.tuples(st.just("stage_failed"), STAGES, st.booleans()),
    st.tuples(st.just("stage_ready"), STAGES),
    st.tuples(st.just("left")),
    st.tuples(st.just("close")),
)
whole_stories = st.one_of(
    st.tuples(st.just("answer"), st.integers(100, 3000)),  # a reply of the last turn
    st.tuples(st.just("utterance"), TEXTS, st.booleans()),  # settled or not
    st.tuples(st.just("sound"), st.integers(20, 700), TEXTS),  # a cough, an interruption
)
events = st.one_of(single_events, whole_stories, whole_stories, whole_stories)
steps = st.lists(st.tuples(events, st.sampled_from([0, 0, 20, 20, 100, 400, 1500])), min_size=3, max_size=30)


def act(call: Call, event: tuple[object, ...]) -> None:  # noqa: PLR0912, PLR0915 - one case an event
    now, turn_id = call.sample(), call.conversation.turn_id
    match event:
        case ("speech_began", int(back)):
            call.tell(ev.SpeechBegan(now + back, 0.9))
        case ("speech_stopped", int(back)):
            call.tell(ev.SpeechStopped(now + back, 0.1))
        case ("text", int(back), ev.TextStage() as stage, str(text)):
            call.tell(ev.TranscriptHeard(call.utterance_id, stage, text, max(0, now - 4000), now + back, 0.9))
        case ("keyword", int(back)):
            call.tell(ev.Keyword(call.utterance_id, "a table", now + back))
        case ("predicted", int(back), int(wait_ms)):
            call.tell(ev.TurnPredicted(call.utterance_id, now + back, 0.5, wait_ms, "COMPLETE"))
        case ("settled", str(text), bool(is_ok)) if call.all(cmd.EndUtterance):
            call.settle(text, is_ok=is_ok)
        case ("clause", int(by), str(text)):
            call.clause(turn_id + by, text)
        case ("reply_ended", int(by), ev.Outcome() as outcome, bool(is_retryable)):
            call.end_reply(turn_id + by, outcome, is_retryable=is_retryable)
        case ("mark", int(by), int(offset), int(sample)):
            call.tell(ev.VoiceMark(turn_id + by, offset, sample, True))
        case ("audio", int(by), int(start), int(n_samples)):
            call.tell(ev.VoiceAudio(turn_id + by, start, bytes([1]) * n_samples))
        case ("voice_ended", int(by), ev.Outcome() as outcome, bool(is_retryable)):
            call.end_voice(turn_id + by, outcome, is_retryable=is_retryable)
        case ("answer", int(ms)):
            call.reply(turn_id, "One two three. ", ms=ms)
        case ("utterance", str(text), bool(is_settled)):
            call.say(text)
            call.wait(200)
            if is_settled and call.all(cmd.EndUtterance):
                call.settle(text)
        case ("sound", int(ms), str(text)):
            call.begin_speech()
            call.wait(ms)
            call.stop_speech()
            call.draft(text)
        case ("action", int(by), bool(is_after), bool(is_hang_up)):
            action = ev.HangUpCall() if is_hang_up else ev.PressKeys("1")
            call.tell(ev.ActionAsked("act", turn_id + by, is_after, action))
        case ("tool", int(by), ev.ToolState() as state):
            call.tell(ev.ToolUsed(turn_id + by, "tool", "book", state))
        case ("expected", int(by), int(length)):
            call.tell(ev.InputExpected(turn_id + by, ev.ExpectedKind.DIGITS, length))
        case ("key", str(digit)):
            call.tell(line.KeyPressed(digit, 80))
        case ("hold", bool(is_held)):
            call.tell(line.HoldChanged(is_held))
        case ("played", int(by)):
            call.tell(line.PlayedUpTo(max(0, len(call.frames) * 160 + by)))
        case ("stage_failed", ev.Stage() as stage, bool(is_retryable)):
            call.tell(ev.StageFailed(stage, "UNAVAILABLE", is_retryable))
        case ("stage_ready", ev.Stage() as stage):
            call.tell(ev.StageReady(stage))
        case ("left",):
            call.tell(line.CallerStaysSilent())
        case ("close",):
            call.tell(ev.CloseAsked(line.EndCause.OPERATOR))


def run(script: list[tuple[tuple[object, ...], int]]) -> Call:
    call = Call().greeted()
    for event, wait_ms in script:
        if call.conversation.is_over:
            break
        act(call, event)
        call.wait(wait_ms)
    return call


@settings(max_examples=400)
@given(script=steps)
def test_turn_ids_rise_and_each_turn_ends_once(script: list[tuple[tuple[object, ...], int]]):
    call = run(script)
    call.tell(line.LegEnded(line.EndCause.CALLER))
    begun = [ask.turn_id for ask in call.all(cmd.AskAgent)]
    firsts = list(dict.fromkeys(begun))
    assert firsts == sorted(firsts), "ids rise; a retry may come back to its own"
    finished = [news.record.turn_id for news in call.all(cmd.TurnFinished)]
    assert len(finished) == len(set(finished))
    reports = [report.turn_id for report in call.all(cmd.ReportPlayout) if report.is_final]
    assert len(reports) == len(set(reports))
    committed = {ask.turn_id for ask in call.all(cmd.AskAgent) if not ask.is_draft}
    committed |= {commit.turn_id for commit in call.all(cmd.CommitTurn)}
    assert committed <= set(finished), "what was begun is accounted for"


@settings(max_examples=200)
@given(script=steps)
def test_a_turn_is_reported_before_the_next_is_asked(script: list[tuple[tuple[object, ...], int]]):
    call = run(script)
    open_turn = 0
    for command in call.commands:
        match command:
            case cmd.AskAgent(turn_id=turn_id, is_draft=False) | cmd.CommitTurn(turn_id=turn_id):
                assert open_turn in (0, turn_id), command
                open_turn = turn_id
            case cmd.ReportPlayout(turn_id=turn_id, is_final=True) if turn_id == open_turn:
                open_turn = 0
            case _:
                pass


@settings(max_examples=200)
@given(script=steps)
def test_at_most_one_draft_lives(script: list[tuple[tuple[object, ...], int]]):
    call = run(script)
    live: set[int] = set()
    for command in call.commands:
        match command:
            case cmd.AskAgent(turn_id=turn_id, is_draft=True):
                live.add(turn_id)
                assert len(live) == 1, command
            case cmd.CommitTurn(turn_id=turn_id) | cmd.CancelTurn(turn_id=turn_id, only=True):
                live.discard(turn_id)
            case _:
                pass


@settings(max_examples=200)
@given(script=steps)
def test_a_paused_or_held_call_is_silent_and_every_call_can_be_ended(script: list[tuple[tuple[object, ...], int]]):
    call = run(script)
    if call.floor in (Floor.PAUSED, Floor.HELD):
        content, _ = call.conversation.next_frame(now=call.now)
        assert content is None
    if not call.conversation.is_over:
        call.tell(line.HoldChanged(False))
        call.tell(ev.CloseAsked(line.EndCause.OPERATOR))
        call.wait(40_000)
        assert len(call.all(cmd.HangUp)) == 1
        assert call.conversation.is_over


KEYS_ON_A_PAUSE_WHOSE_REPLY_IS_LOST = [
    (("utterance", "a table for two", False), 0),
    (("key", "1"), 700),
    (("settled", "a table for two", True), 500),
    (("speech_began", 0), 20),
    (("reply_ended", 0, ev.Outcome.FAILED, False), 0),
    (("speech_stopped", 0), 1500),
]


@settings(max_examples=200)
@example(script=KEYS_ON_A_PAUSE_WHOSE_REPLY_IS_LOST)
@given(script=steps)
def test_the_floor_is_paused_only_while_a_sound_is_judged(script: list[tuple[tuple[object, ...], int]]):
    """A pause without a sound to judge has no end."""
    call = Call().greeted()
    for event, wait_ms in script:
        if call.conversation.is_over:
            break
        act(call, event)
        assert call.floor is not Floor.PAUSED or call.conversation._call.overlap is not None, event
        call.wait(wait_ms)
        assert call.floor is not Floor.PAUSED or call.conversation._call.overlap is not None, event


@settings(max_examples=100)
@example(script=KEYS_ON_A_PAUSE_WHOSE_REPLY_IS_LOST)
@example(script=[(("utterance", "", False), 0), (("speech_began", 0), 0), (("stage_failed", ev.Stage.STT, False), 0)])
@example(
    script=[
        (("speech_began", 0), 0),
        (("speech_stopped", 0), 1500),
        (("hold", False), 100),
        (("speech_began", 0), 1500),
    ]
)
@given(script=steps)
def test_no_call_is_ever_stuck(script: list[tuple[tuple[object, ...], int]]):
    """Left alone with an STT stage that works and stages that say nothing more, it ends by itself."""
    call = run(script)
    if call.conversation.is_over:
        return
    call.tell(line.HoldChanged(False))
    call.tell(ev.SpeechStopped(call.sample(), 0.1))
    for _ in range(12):
        call.wait(10_000)
        if call.all(cmd.EndUtterance):
            call.settle("")
    assert call.conversation.is_over, call.floor


@settings(max_examples=100)
@given(script=steps)
def test_a_deadline_that_is_kept_is_never_later_than_a_fresh_merge(script: list[tuple[tuple[object, ...], int]]):
    call = Call().greeted()
    for event, wait_ms in script:
        if call.conversation.is_over:
            break
        act(call, event)
        for _ in range(0, wait_ms, 20):
            call.wait(20)
            kept, merged = call.conversation.next_deadline(), call.conversation._soonest_deadline()
            assert merged is None or (kept is not None and kept <= merged + 1e-6)
