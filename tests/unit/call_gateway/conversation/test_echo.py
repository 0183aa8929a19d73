"""Our own voice comes back on the line: alone, faint, late, shaped by the line, and under a caller who speaks.

What the guard is told is what the STT stage would tell it: that speech began where sound rises, some 40 to 100 ms
after it did. Voices are recordings; the caller's never says what the agent says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode, encode
from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.news import LineCause, LineTroubled
from services.call_gateway.sound.echo import EchoGuard
from services.call_gateway.sound.track import Track
from tests.load.clips import Clip, load_clips
from tests.load.line_echo import Reflector, Signal, response, returned
from tests.unit.call_gateway.conversation.driver import Call
from tests.unit.call_gateway.conversation.line_sound import FRAME, talk

LEVEL = 3000.0  # root mean square of a voice: -21 dBFS
NOISE = 18.0  # of the line: -65 dBFS
LEVELS_DB = (-6, -12, -18, -24, -30)
DELAYS_MS = (20, 80, 160, 300)


def rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2)))


@cache
def voices() -> tuple[tuple[Clip, Signal], ...]:
    """Whole sentences without much noise, each at the same level, from the first word to the last."""
    found = []
    for clip in load_clips():
        if clip.kind in ("plain", "pause", "interruption"):
            samples = decode(TELEPHONE, b"".join(clip.frames)).astype(np.float64)
            speech = samples[clip.speech_start_sample : clip.speech_end_sample]
            found.append((clip, speech * LEVEL / rms(speech)))
    return tuple(found)


def agent_speech(chance: np.random.Generator, seconds: float, *, but: Clip | None = None) -> Signal:
    """Sentences with short pauses between them, none of them the caller's."""
    parts: list[Signal] = []
    while sum(map(len, parts)) < seconds * 8000:
        clip, speech = voices()[chance.integers(len(voices()))]
        if but is None or clip.text != but.text:
            parts += [speech, np.zeros(chance.integers(800, 3200))]
    return on_the_wire(np.concatenate(parts)[: int(seconds * 8000) // FRAME * FRAME])


def on_the_wire(signal: Signal) -> Signal:
    """The signal as G.711 leaves it."""
    return decode(TELEPHONE, wire(signal)).astype(np.float64)


def wire(signal: Signal) -> bytes:
    return encode(TELEPHONE, np.clip(np.round(signal), -32768, 32767).astype(np.int16))


def frames(signal: Signal) -> list[bytes]:
    content = wire(signal)
    return [content[at : at + FRAME] for at in range(0, len(content) - FRAME + 1, FRAME)]


def noise(chance: np.random.Generator, n_samples: int) -> Signal:
    return chance.normal(0, NOISE, n_samples)


@dataclass
class Line:
    """Both directions of a call, up to a moment, and the guard that watches them."""

    sent: Signal
    heard: Signal
    guard: EchoGuard = field(init=False)
    at: int = 0
    ahead: int = 0  # frames that have left and whose place on the heard clock has not come yet

    def __post_init__(self) -> None:
        self._track = Track(TELEPHONE)
        self._left = 0
        self.guard = EchoGuard(self._track)

    def is_echo(self, began: int, *, told_after_ms: int = 80) -> bool:
        """The guard's judgement of speech that began there, once the guard is told."""
        now = min((began + told_after_ms * 8) // FRAME * FRAME + FRAME, len(self.sent) // FRAME * FRAME)
        for index, back in enumerate(frames(self.heard[self.at : now])):
            self._track.add_received(line.CallerAudio(self.at + index * FRAME, back))
        self.at = now
        until = min(len(self.sent) // FRAME * FRAME, max(self._left, now + self.ahead * FRAME))
        for out in frames(self.sent[self._left : until]):
            self._track.add_sent(out)
        self._left = until
        return self.guard.is_echo(began, now)


def rises(signal: Signal, *, after: int = 4000) -> Iterator[int]:
    """The samples at which a listener would say that speech begins: louder than in the 60 ms before."""
    powers = (signal[: len(signal) // 80 * 80].reshape(-1, 80) ** 2).mean(1)
    loud = powers.max() / 100
    last = 0
    for place in range(after // 80, len(powers) - 12):
        is_rise = powers[place : place + 8].mean() > loud and powers[place - 6 : place].mean() < 0.3 * loud
        if is_rise and place - last > 20:
            last = place
            yield place * 80


def from_first_sound(speech: Signal) -> Signal:
    powers = (speech[: len(speech) // 80 * 80].reshape(-1, 80) ** 2).mean(1)
    return speech[int((powers > powers.max() / 100).argmax()) * 80 :]


def share(verdicts: list[bool]) -> float:
    assert len(verdicts) >= 20, "too few to tell"
    return sum(verdicts) / len(verdicts)


# -- the echo alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("reflector", ["line", "hybrid"])
def test_the_echo_of_our_speech_is_known_at_its_first_onset(db: int, reflector: Reflector):
    chance = np.random.default_rng(abs(db))
    verdicts = []
    for delay_ms in DELAYS_MS * 3:
        sent = agent_speech(chance, 5)
        echo = returned(sent, delay_ms=delay_ms, db=db, taps=response(reflector, chance))
        heard = echo + noise(chance, len(sent))
        verdicts += [Line(sent, heard).is_echo(began, told_after_ms=100) for began in rises(echo)]
    assert share(verdicts) >= 0.95


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("reflector", ["line", "hybrid", "room"])
def test_a_line_that_was_found_out_is_known_at_once(db: int, reflector: Reflector):
    chance = np.random.default_rng(abs(db) + 1)
    verdicts = []
    for delay_ms in DELAYS_MS * 2:
        sent = agent_speech(chance, 8)
        echo = returned(sent, delay_ms=delay_ms, db=db, taps=response(reflector, chance))
        line = Line(sent, echo + noise(chance, len(sent)))
        line.is_echo(8000, told_after_ms=400)
        verdicts += [line.is_echo(began, told_after_ms=50) for began in rises(echo, after=14_000)]
    assert share(verdicts) >= 0.95


def test_frames_that_leave_and_arrive_in_bursts_move_no_delay():
    """The way the line was found out is looked for in its place, however the two directions stand at the moment."""
    chance = np.random.default_rng(11)
    verdicts = []
    for delay_ms in DELAYS_MS:
        sent = agent_speech(chance, 12)
        echo = returned(sent, delay_ms=delay_ms + 40, db=-18)
        line = Line(sent, echo + noise(chance, len(sent)))
        line.is_echo(8000, told_after_ms=400)
        for began in rises(echo, after=14_000):
            line.ahead = int(chance.integers(-2, 3))
            verdicts.append(line.is_echo(began, told_after_ms=20))
    assert share(verdicts) >= 0.95


@pytest.mark.parametrize("reflector", ["line", "hybrid"])
def test_a_delay_that_jumps_is_followed_at_once(reflector: Reflector):
    """A jitter buffer on the way has run dry: nothing came for a while, and what comes then is later."""
    verdicts = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        sent = agent_speech(chance, 6)
        echo = returned(sent, delay_ms=120, db=-12, taps=response(reflector, chance))
        began = next(rises(echo, after=24_000))
        hole = np.zeros(int(chance.integers(400, 1600)))
        heard = np.concatenate((echo[: began + 240], hole, echo[began + 240 :]))[: len(sent)]
        line = Line(sent, heard)
        for earlier in rises(echo[: began - 800], after=8000):
            line.is_echo(earlier)
        verdicts.append(line.is_echo(began + 240 + len(hole), told_after_ms=60))
    assert share(verdicts) >= 0.95


def test_a_tone_that_comes_back_is_an_echo():
    tone = on_the_wire(LEVEL * np.sin(2 * np.pi * 440 / 8000 * np.arange(16_000)))
    chance = np.random.default_rng(1)
    verdicts = []
    for db in LEVELS_DB:
        for delay_ms in DELAYS_MS:
            sent = np.concatenate((np.zeros(8000), tone))
            heard = returned(sent, delay_ms=delay_ms, db=db) + noise(chance, len(sent))
            verdicts.append(Line(sent, heard).is_echo(8000 + delay_ms * 8))
    assert share(verdicts) >= 0.95


def test_the_last_word_comes_back_when_the_agent_has_fallen_silent():
    chance = np.random.default_rng(2)
    sent = np.concatenate((agent_speech(chance, 3), np.zeros(4000)))
    heard = returned(sent, delay_ms=300, db=-12) + noise(chance, len(sent))
    assert Line(sent, heard).is_echo(24_000 + 800)


# -- a caller ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("db", LEVELS_DB)
@pytest.mark.parametrize("caller_db", [0, -6])
def test_a_caller_over_the_echo_is_a_caller(db: int, caller_db: int):
    """The caller is let through, with the line found out before they speak or not. The STT stage says again and again
    that speech begins while its begin is vetoed; one that is let through within 250 ms of the first soft sound is soon
    enough.
    """
    chance = np.random.default_rng(abs(db) + 10)
    verdicts = []
    for clip, speech in voices():
        sent = agent_speech(chance, 4, but=clip)
        echo = returned(sent, delay_ms=chance.uniform(20, 300), db=db, taps=response("hybrid", chance))
        heard = echo + noise(chance, len(sent))
        began = int(chance.integers(14_000, 18_000))
        voice = from_first_sound(speech)[:8000] * 10 ** (caller_db / 20)
        heard[began : began + len(voice)] += voice
        is_known, line = bool(chance.integers(2)), Line(sent, heard)
        if is_known:
            line.is_echo(8000, told_after_ms=400)
        verdicts.append(not all(line.is_echo(began + ms * 8, told_after_ms=60) for ms in range(0, 200, 40)))
    assert share(verdicts) >= 0.95


def test_a_caller_alone_is_never_taken_for_an_echo():
    chance = np.random.default_rng(3)
    verdicts = []
    for clip, speech in voices() * 3:
        sent = agent_speech(chance, 5, but=clip)
        began = int(chance.integers(8000, 16_000))
        heard = noise(chance, len(sent))
        voice = speech[: len(heard) - began] * 10 ** (chance.uniform(-12, 3) / 20)
        heard[began : began + len(voice)] += voice
        line = Line(sent, heard)
        verdicts += [line.is_echo(place, told_after_ms=50) for place in rises(heard, after=began - 400)]
    assert share(verdicts) == 0.0


def test_nothing_comes_back_of_silence():
    chance = np.random.default_rng(4)
    heard = np.concatenate((np.zeros(8000), voices()[0][1]))
    assert not Line(np.zeros(len(heard)), heard + noise(chance, len(heard))).is_echo(8000)


def test_what_is_louder_than_it_was_sent_is_no_echo():
    chance = np.random.default_rng(5)
    sent = agent_speech(chance, 4)
    heard = returned(sent, delay_ms=60, db=6)
    assert not any(Line(sent, heard).is_echo(began) for began in rises(heard))


# -- formats and holes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio_format", [AudioFormat(Encoding.LINEAR16, 16_000), AudioFormat(Encoding.ALAW, 8000)])
def test_an_echo_is_known_in_any_format(audio_format: AudioFormat):
    chance = np.random.default_rng(6)
    factor = audio_format.sample_rate_hertz // 8000
    sent = np.repeat(agent_speech(chance, 4), factor)
    echo = np.concatenate((np.zeros(960 * factor), sent))[: len(sent)] * 0.25
    track = Track(audio_format)
    guard = EchoGuard(track)
    frame = FRAME * factor
    for at in range(0, len(sent) - frame + 1, frame):
        track.add_sent(encode(audio_format, sent[at : at + frame].astype(np.int16)))
        track.add_received(line.CallerAudio(at, encode(audio_format, echo[at : at + frame].astype(np.int16))))
    assert guard.is_echo(len(sent) - 12 * frame, len(sent))


def test_holes_in_the_heard_sound_are_left_as_they_are():
    chance = np.random.default_rng(7)
    sent = agent_speech(chance, 4)
    echo = returned(sent, delay_ms=120, db=-12)
    track = Track(TELEPHONE)
    guard = EchoGuard(track)
    began = next(rises(echo, after=16_000))
    now = (began + 960) // FRAME * FRAME
    for index, (out, back) in enumerate(zip(frames(sent[:now]), frames(echo[:now]), strict=True)):
        track.add_sent(out)
        if index % 7:
            track.add_received(line.CallerAudio(index * FRAME, back))
    assert guard.is_echo(began, now)


def test_a_hole_in_the_echo_makes_no_caller():
    """An echo of which a part is missing is still nothing but echo."""
    chance = np.random.default_rng(12)
    verdicts = []
    for delay_ms in DELAYS_MS * 2:
        sent = agent_speech(chance, 8)
        echo = returned(sent, delay_ms=delay_ms, db=-12)
        line = Line(sent, echo)
        line.is_echo(8000, told_after_ms=400)
        for began in rises(echo, after=16_000):
            echo[began + 240 : began + 480] = 0.0
            verdicts.append(line.is_echo(began, told_after_ms=80))
    assert share(verdicts) >= 0.95


def test_torn_sound_is_passed_over():
    track = Track(AudioFormat(Encoding.LINEAR16, 8000))
    track.add_sent(bytes([1, 20]) * 160)
    track.add_received(line.CallerAudio(0, bytes(319)))
    assert not EchoGuard(track).is_echo(0, 160)


def test_nothing_heard_is_no_echo():
    track = Track(TELEPHONE)
    track.add_sent(wire(agent_speech(np.random.default_rng(8), 1)))
    assert not EchoGuard(track).is_echo(0, 160)


# -- in a conversation -------------------------------------------------------------------------------------------------


def speaking_call(seconds: float = 4) -> tuple[Call, Signal]:
    """The agent is about to speak; what it will say."""
    call = Call().greeted()
    turn_id = call.ask("hello")
    signal = agent_speech(np.random.default_rng(9), seconds)
    call.clause(turn_id, "We are open from Monday to Friday, and on Saturday too.")
    call.end_reply(turn_id)
    call.tell(ev.VoiceAudio(turn_id, 0, wire(signal)))
    call.end_voice(turn_id)
    return call, signal


def test_an_echo_does_not_even_pause_the_agent():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    began = next(rises(echo, after=8000))
    start = call.sample()
    talk(call, frames(echo)[: began // FRAME + 5])
    commands = call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.SPEAKING
    assert cmd.DiscardUtterance(start + began, call.sample()) in commands
    assert call.conversation.counters["echoes"] == 1


def test_an_echo_is_reported_once_a_call():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    start = call.sample()
    assert not call.conversation.is_echo_suspected
    talked = 0
    for began in list(rises(echo, after=8000))[:2]:
        talk(call, frames(echo)[talked : began // FRAME + 5])
        talked = began // FRAME + 5
        call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.conversation.counters["echoes"] == 2
    assert call.conversation.is_echo_suspected
    assert [told.cause for told in call.all(LineTroubled)] == [LineCause.ECHO]


def test_what_was_invented_to_hide_a_loss_is_not_compared():
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-12)
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)[: began // FRAME + 5]
    talk(call, back[:-2])
    invented_at = call.sample()
    call.wait(20)
    call.tell(line.CallerAudio(invented_at, wire(voices()[0][1][4000 : 4000 + FRAME]), concealed_samples=FRAME))
    talk(call, back[-1:])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.SPEAKING


def test_sound_that_goes_on_after_a_veto_is_looked_at_again():
    """The STT stage finds the sound a second time, from a window before the end of what was discarded: still an echo,
    then a caller.
    """
    call, signal = speaking_call()
    echo = returned(signal, delay_ms=120, db=-18)
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 5])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    talk(call, back[began // FRAME + 5 : began // FRAME + 8])
    call.tell(ev.SpeechBegan(call.sample() - 60 * 8 - 30 * 8, 0.9))
    assert call.conversation.counters["echoes"] == 2
    assert call.floor is Floor.SPEAKING
    caller = voices()[-1][1][800:2400]
    place = began + 8 * FRAME
    echo[place : place + len(caller)] += caller
    talk(call, frames(echo)[began // FRAME + 8 : began // FRAME + 13])
    call.tell(ev.SpeechBegan(call.sample() - 100 * 8 - 20 * 8, 0.9))
    assert call.floor is Floor.PAUSED


def test_what_seemed_speech_at_first_is_known_as_echo_at_a_second_look():
    """A room takes more sound to find out than the STT stage needs to say that speech began."""
    call, signal = speaking_call()
    taps = response("room", np.random.default_rng(10))
    echo = returned(signal, delay_ms=160, db=-12, taps=taps)
    began = 160 * 8
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 1])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    assert call.floor is Floor.PAUSED
    talk(call, back[began // FRAME + 1 : began // FRAME + 20])
    assert call.floor is Floor.SPEAKING
    assert call.conversation.counters["resumed_echo"] == 1


def test_the_words_of_an_echo_make_no_turn():
    call, signal = speaking_call(2)
    echo = np.concatenate((returned(signal, delay_ms=200, db=-12), np.zeros(8000)))
    began = next(rises(echo, after=8000))
    start = call.sample()
    back = frames(echo)
    talk(call, back[: began // FRAME + 5])
    call.tell(ev.SpeechBegan(start + began, 0.9))
    told = call.sample()
    talk(call, back[began // FRAME + 5 :])
    call.text(ev.TextStage.DRAFT, "on Saturday too", start_ms=(start + began) // 8, end_ms=told // 8)
    call.tell(ev.TurnPredicted(1, told, 0.9, 256, "COMPLETE"))
    talk(call, back[-60:])
    assert call.floor is Floor.LISTENING
    assert not [asked for asked in call.all(cmd.AskAgent) if asked.turn_id > 2]
