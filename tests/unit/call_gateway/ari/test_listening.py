"""Keys that leave holes, and holds that Asterisk did not report."""

from services.audio.pcm import TELEPHONE
from services.call_gateway.edges.ari.listening import HoldDoubt, KeyHoles
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, LegEvent, MediaIdle

FRAME = 160
SOUND = b"\x55" * FRAME


class Line:
    """A line whose events go through the filter."""

    def __init__(self) -> None:
        self.holes = KeyHoles(TELEPHONE)
        self.told: list[LegEvent] = []
        self.sample = 0

    def sound(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 20):
            self.told += self.holes.on_event(CallerAudio(self.sample, SOUND))
            self.sample += FRAME

    def hole(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 20):
            self.told += self.holes.on_event(MediaIdle(self.sample, self.sample + FRAME, IdleReason.UNKNOWN))
            self.sample += FRAME

    def key(self) -> None:
        self.told += self.holes.on_event(KeyPressed("5", 200))

    @property
    def reasons(self) -> list[IdleReason]:
        return [event.reason for event in self.told if isinstance(event, MediaIdle)]

    def is_whole(self) -> bool:
        at = 0
        for event in self.told:
            if isinstance(event, CallerAudio):
                assert event.start_sample == at
                at += FRAME
            elif isinstance(event, MediaIdle):
                assert event.from_sample == at
                at = event.to_sample
        return at == self.sample


def test_a_hole_that_a_key_made_is_the_keys_and_never_silence():
    line = Line()
    line.sound(200)
    line.hole(200)
    line.key()
    line.hole(40)
    line.sound(100)
    assert set(line.reasons) == {IdleReason.DTMF}
    assert line.is_whole()


def test_the_news_of_a_key_may_come_after_the_first_packet():
    line = Line()
    line.sound(200)
    line.hole(200)
    line.sound(20)
    line.key()
    assert line.reasons == [IdleReason.DTMF]
    assert line.is_whole()


def test_a_line_that_stops_is_told_after_half_a_second():
    line = Line()
    line.sound(200)
    line.hole(480)
    assert line.reasons == []
    line.hole(40)
    assert set(line.reasons) == {IdleReason.UNKNOWN}
    assert line.is_whole()


def test_a_line_that_suppresses_silence_is_reported_at_once():
    line = Line()
    for _ in range(2):
        line.sound(200)
        line.hole(1000)
    line.sound(200)
    line.told.clear()
    line.hole(20)
    assert line.reasons == [IdleReason.UNKNOWN]


def doubts(doubt: HoldDoubt, event: LegEvent, seconds: float) -> int:
    return sum(doubt.observe(event) for _ in range(round(seconds * 50)))


def test_three_seconds_of_sound_from_a_held_caller_raise_a_doubt():
    doubt = HoldDoubt(TELEPHONE)
    doubt.believe(is_held=True)
    assert doubts(doubt, CallerAudio(0, SOUND), 2.9) == 0
    assert doubts(doubt, CallerAudio(0, SOUND), 0.2) == 1


def test_three_seconds_of_nothing_from_another_raise_one_too_and_then_ever_fewer():
    doubt = HoldDoubt(TELEPHONE)
    idle = MediaIdle(0, FRAME, IdleReason.UNKNOWN)
    assert doubts(doubt, idle, 2.9) == 0
    assert doubts(doubt, idle, 0.2) == 1
    assert doubts(doubt, idle, 60) <= 4


def test_what_agrees_with_what_is_believed_raises_none():
    doubt = HoldDoubt(TELEPHONE)
    assert doubts(doubt, CallerAudio(0, SOUND), 10) == 0
    doubt.believe(is_held=True)
    assert doubts(doubt, MediaIdle(0, FRAME, IdleReason.HOLD), 10) == 0
