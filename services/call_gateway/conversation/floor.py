"""The table of the conversation: who has the floor, every move that changes that, and the effect of each move.

A policy decides on a move. The conversation looks the move up in RULES by the floor of this moment, changes the floor
and carries out the effect, which is a function of `effects.py`. A move that has no row there is illegal: it is counted
and has no effect. On PAUSED and HELD the rows of the floor they cover apply too, as `FloorTable` says.

What changes neither the floor nor the committed reply is no move, and the policies do it themselves: they say a prompt,
open a stage's stream again, and drop a speculative reply whose words are outdated. Nor is the loss of the line a move:
after it there is no floor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from services.call_gateway.conversation.commands import TurnInput
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.user_turn import EndedTurn, Verdict
from services.call_gateway.prompts.book import PromptKind


class Floor(Enum):
    """The floor of a call: which side may make a sound."""

    LISTENING = "listening"  # the caller may speak
    HELD = "held"  # the call is on hold: neither side
    THINKING = "thinking"  # the caller's turn is over, the reply is being made
    SPEAKING = "speaking"  # the agent or the gateway speaks
    PAUSED = "paused"  # the caller made a sound that is being judged: an interruption or a false alarm
    CLOSING = "closing"  # the last words are being heard


class Move(Enum):
    """A reason to change the floor, or to act where the floor stays. The values name the cause in logs and metrics."""

    PAUSE_HEARD = "pause_heard"  # words of a turn that may not be over
    TURN_ENDED = "turn_ended"  # the caller has finished; the words of the turn may still be awaited
    REPLY_DUE = "reply_due"  # there is something to say without words of the caller: a greeting, keys, an outcome
    WORDS_KNOWN = "words_known"  # the words of the ended turn are settled, or will not become better
    LATE_WORDS = "late_words"  # words that were no longer waited for came
    NOTHING_SAID = "nothing_said"  # the ended turn had no words, or no person had said them
    REPLY_BEGAN = "answer_began"  # the first frame of the agent or the gateway goes out
    REPLY_HEARD = "answer_done"  # the reply was heard to its end
    PROMPT_HEARD = "prompt_heard"  # the gateway's own words were heard to their end
    REPLY_LOST = "reply_lost"  # the reply cannot be made, nor be tried again
    REPLY_BROKEN = "answer_broken"  # a stage failed in mid-reply: it is made again
    TEXT_REVISED = "text_revised"  # a better text of the turn that is being answered has another meaning
    CALLER_SPOKE = "caller_sounded"  # the caller makes a sound; on THINKING and SPEAKING it is judged
    FALSE_ALARM = "false_alarm"  # the sound was a cough, a backchannel or the agent's own echo
    CALLER_INTERRUPTED = "caller_insisted"  # the sound was an interruption, or keys were pressed
    PUT_ON_HOLD = "put_on_hold"
    TAKEN_BACK = "taken_back"
    CLOSED = "closed"  # only the last words from here on

    @property
    def cause(self) -> str:
        """The name in logs and metrics, where some moves share the name of another."""
        return _CAUSES.get(self, self).value


_CAUSES: Final = {
    Move.REPLY_DUE: Move.TURN_ENDED,
    Move.LATE_WORDS: Move.TURN_ENDED,
    Move.PROMPT_HEARD: Move.REPLY_HEARD,
    Move.REPLY_LOST: Move.REPLY_HEARD,
}


class Effect(Enum):
    """The effect of a move. `EFFECTS` in `effects.py` has a function for each."""

    NOTHING = "nothing"
    SPECULATE = "speculate"  # ask for a speculative reply to the words so far, if that is worth its cost
    AWAIT_WORDS = "await_words"  # end the utterance, and wait for the words of it
    ASK_AGENT = "ask_agent"  # begin a turn of the agent
    TAKE_TURN = "take_turn"  # commit the speculative reply if it answers the words, else ask the agent
    TAKE_LATE_WORDS = "take_late_words"
    FORGET_TURN = "forget_turn"  # there was no turn: drop the replies that were made for it
    PAUSE_PLAYOUT = "pause_playout"
    RESUME_PLAYOUT = "resume_playout"  # from the start of the word that was broken off
    CANCEL_REPLY = "cancel_reply"  # the caller's words are the next turn, or the rest of the last one
    FINISH_REPLY = "finish_reply"  # report the reply, and do the actions that waited for its last word
    ABANDON_REPLY = "abandon_reply"  # give the reply up, report it as failed, and say the prompt that tells the caller
    RETRY_REPLY = "retry_reply"
    ASK_AGAIN = "ask_again"  # cancel the turn, and ask with the better text as a turn that continues it
    DROP_SPECULATION = "drop_speculation"  # the caller goes on: the reply answers too little
    CLOSE = "close"  # break off what is being said, and say the last words


class Covered(Enum):
    """Marks a row that leads back to the floor that PAUSED or HELD covers."""

    FLOOR = "the floor that was covered"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the floor after the move, and the effect of the move."""

    after: Floor | Covered
    effect: Effect


RULES: Final[Mapping[tuple[Floor, Move], Rule]] = {
    # The caller may speak.
    (Floor.LISTENING, Move.PAUSE_HEARD): Rule(Floor.LISTENING, Effect.SPECULATE),
    (Floor.LISTENING, Move.TURN_ENDED): Rule(Floor.THINKING, Effect.AWAIT_WORDS),
    (Floor.LISTENING, Move.REPLY_DUE): Rule(Floor.THINKING, Effect.ASK_AGENT),
    (Floor.LISTENING, Move.LATE_WORDS): Rule(Floor.THINKING, Effect.TAKE_LATE_WORDS),
    (Floor.LISTENING, Move.REPLY_BEGAN): Rule(Floor.SPEAKING, Effect.NOTHING),  # the gateway speaks by itself
    (Floor.LISTENING, Move.CALLER_SPOKE): Rule(Floor.LISTENING, Effect.DROP_SPECULATION),
    (Floor.LISTENING, Move.PUT_ON_HOLD): Rule(Floor.HELD, Effect.NOTHING),
    (Floor.LISTENING, Move.CLOSED): Rule(Floor.CLOSING, Effect.CLOSE),
    # The words of the turn are awaited, then the reply is being made.
    (Floor.THINKING, Move.WORDS_KNOWN): Rule(Floor.THINKING, Effect.TAKE_TURN),
    (Floor.THINKING, Move.NOTHING_SAID): Rule(Floor.LISTENING, Effect.FORGET_TURN),
    (Floor.THINKING, Move.TEXT_REVISED): Rule(Floor.THINKING, Effect.ASK_AGAIN),
    (Floor.THINKING, Move.REPLY_BROKEN): Rule(Floor.THINKING, Effect.RETRY_REPLY),
    (Floor.THINKING, Move.REPLY_BEGAN): Rule(Floor.SPEAKING, Effect.NOTHING),
    (Floor.THINKING, Move.REPLY_HEARD): Rule(Floor.LISTENING, Effect.FINISH_REPLY),  # the reply had no words
    (Floor.THINKING, Move.REPLY_LOST): Rule(Floor.LISTENING, Effect.ABANDON_REPLY),
    (Floor.THINKING, Move.CALLER_SPOKE): Rule(Floor.PAUSED, Effect.PAUSE_PLAYOUT),
    (Floor.THINKING, Move.CALLER_INTERRUPTED): Rule(Floor.LISTENING, Effect.CANCEL_REPLY),
    (Floor.THINKING, Move.PUT_ON_HOLD): Rule(Floor.HELD, Effect.NOTHING),
    (Floor.THINKING, Move.CLOSED): Rule(Floor.CLOSING, Effect.CLOSE),
    # The agent speaks, or the gateway does.
    (Floor.SPEAKING, Move.REPLY_HEARD): Rule(Floor.LISTENING, Effect.FINISH_REPLY),
    (Floor.SPEAKING, Move.NOTHING_SAID): Rule(Floor.LISTENING, Effect.FORGET_TURN),  # the words were withdrawn
    (Floor.SPEAKING, Move.PROMPT_HEARD): Rule(Floor.LISTENING, Effect.NOTHING),
    (Floor.SPEAKING, Move.REPLY_LOST): Rule(Floor.LISTENING, Effect.ABANDON_REPLY),
    (Floor.SPEAKING, Move.REPLY_BROKEN): Rule(Floor.THINKING, Effect.RETRY_REPLY),
    (Floor.SPEAKING, Move.TEXT_REVISED): Rule(Floor.THINKING, Effect.ASK_AGAIN),
    (Floor.SPEAKING, Move.LATE_WORDS): Rule(Floor.THINKING, Effect.TAKE_LATE_WORDS),
    (Floor.SPEAKING, Move.CALLER_SPOKE): Rule(Floor.PAUSED, Effect.PAUSE_PLAYOUT),
    (Floor.SPEAKING, Move.CALLER_INTERRUPTED): Rule(Floor.LISTENING, Effect.CANCEL_REPLY),
    (Floor.SPEAKING, Move.PUT_ON_HOLD): Rule(Floor.HELD, Effect.NOTHING),
    (Floor.SPEAKING, Move.CLOSED): Rule(Floor.CLOSING, Effect.CLOSE),
    # The caller makes a sound over the agent, and nothing is played.
    (Floor.PAUSED, Move.PAUSE_HEARD): Rule(Floor.PAUSED, Effect.SPECULATE),
    (Floor.PAUSED, Move.FALSE_ALARM): Rule(Covered.FLOOR, Effect.RESUME_PLAYOUT),
    (Floor.PAUSED, Move.CALLER_INTERRUPTED): Rule(Floor.LISTENING, Effect.CANCEL_REPLY),
    (Floor.PAUSED, Move.PUT_ON_HOLD): Rule(Floor.HELD, Effect.NOTHING),
    (Floor.PAUSED, Move.CLOSED): Rule(Floor.CLOSING, Effect.CLOSE),
    # The call is on hold, and nothing is played.
    (Floor.HELD, Move.TAKEN_BACK): Rule(Covered.FLOOR, Effect.NOTHING),
    (Floor.HELD, Move.CLOSED): Rule(Floor.CLOSING, Effect.CLOSE),
    # The last words are being heard.
    (Floor.CLOSING, Move.REPLY_HEARD): Rule(Floor.CLOSING, Effect.FINISH_REPLY),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A move that a policy decides on. `detail` is what the effect must know of it: a value, or one of the classes
    below.
    """

    move: Move
    detail: Any = None


Decisions = Iterator[Decision]


@dataclass(frozen=True, slots=True)
class Pause:
    """Detail of PAUSE_HEARD: the words at a pause of the caller."""

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class NextTurn:
    """Detail of REPLY_DUE: the input of the agent's turn."""

    input: TurnInput
    notes: TurnNotes


@dataclass(frozen=True, slots=True)
class LateWords:
    """Detail of LATE_WORDS: the words of a turn that was given up."""

    turn: EndedTurn
    text: str


@dataclass(frozen=True, slots=True)
class NoPerson:
    """Detail of NOTHING_SAID: the words came from a recording, not from a person."""

    is_doubtful: bool  # the gateway asks whether a person is there


@dataclass(frozen=True, slots=True)
class Interruption:
    """Detail of CALLER_INTERRUPTED: why the agent is stopped."""

    verdict: Verdict
    is_by_keys: bool = False  # the keys are the next turn: no earlier words are continued


@dataclass(frozen=True, slots=True)
class Loss:
    """Detail of REPLY_LOST: why there will be no reply."""

    reason: str
    prompt: PromptKind | None  # that tells the caller


@dataclass(frozen=True, slots=True)
class Revision:
    """Detail of TEXT_REVISED: a better text of the turn that is being answered."""

    text: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was made. `before` is `after` where the floor stays, or only the covered floor changed."""

    before: Floor
    after: Floor
    effect: Effect


class FloorTable:
    """Holds the floor, and lets it change only by the rows of RULES.

    PAUSED and HELD cover the floor from which they were entered. Where RULES has no row for a move on PAUSED or HELD,
    the row of the covered floor applies: the floor stays, its effect is carried out, and the covered floor changes. So
    a reply that ends during a hold leaves the floor to the caller when the hold is over.
    """

    def __init__(self) -> None:
        self.floor = Floor.LISTENING
        self.covered = Floor.LISTENING  # meaningful under PAUSED and HELD

    def move(self, move: Move) -> Moved | None:
        """Make a move. Returns None when the move is illegal: there is no row for it, and nothing has changed."""
        before = self.floor
        rule = RULES.get((before, move))
        if rule is None:
            return self._move_beneath(move)
        after = self.covered if isinstance(rule.after, Covered) else rule.after
        if after in (Floor.PAUSED, Floor.HELD) and before is not Floor.PAUSED:
            self.covered = before
        self.floor = after
        return Moved(before, after, rule.effect)

    def _move_beneath(self, move: Move) -> Moved | None:
        rule = RULES.get((self.covered, move)) if self.floor in (Floor.PAUSED, Floor.HELD) else None
        if rule is None or isinstance(rule.after, Covered) or rule.after in (Floor.PAUSED, Floor.HELD):
            return None
        self.covered = rule.after
        return Moved(self.floor, self.floor, rule.effect)
