"""The nodes of the graph that word a finding, act on the call, and ask for what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command

from services.language.words import has_words
from services.nlu.agent.capture.slots import as_mapping
from services.nlu.agent.graph.answers import Answers
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.captures import Captures, SlotTaken
from services.nlu.agent.graph.dialogue import MAX_REMEMBERED_CHARS, Dialogue, as_state
from services.nlu.agent.graph.finding import Finding, Next
from services.nlu.agent.graph.reading import COURTESIES
from services.nlu.agent.graph.reprompts import Reprompts
from services.nlu.agent.graph.running import CallState
from services.nlu.agent.graph.seen import heard_last
from services.nlu.agent.graph.sentences import sentences_of
from services.nlu.agent.graph.unanswered import is_hum
from services.nlu.agent.graph.wishes import Wishes
from services.nlu.agent.graph.work import Work
from services.nlu.agent.profile import AgentProfile
from services.nlu.outputs import Act as CallAct
from services.nlu.outputs import SwitchLanguage, Transfer

_OF_ANOTHER = frozenset({"affirmed_name", "affirmed_thing", "affirmed_person", "affirmed_person_day"})
"""Rules of the guard by which a yes was stopped since the question names somebody or something else."""
_NO_QUESTIONS = COURTESIES | {UNKNOWN, "yes", "no", "name", "number"}


class ReplyNodes:
    """The nodes that make an agent's reply of its findings."""

    def __init__(
        self,
        profile: AgentProfile,
        answers: Mapping[str, Answers],
        captures: Mapping[str, Captures | None],
        wishes: Mapping[str, Wishes],
    ) -> None:
        """`answers`, `captures` and `wishes` by the tags of the agent's languages."""
        self._answers, self._captures, self._wishes = answers, captures, wishes
        self._reprompts = {tag: Reprompts(profile, tag, wishes[tag]) for tag in wishes}

    async def say(self, state: CallState, runtime: Runtime[Work]) -> Command[str]:
        """Word the finding. Answer, ask, confirm and hand over differ in what was looked up, and in what comes next."""
        work = runtime.context
        work.show()
        if work.finding and not work.parts:
            work.finding = self._bounded(work, work.finding)
            if beside := self._wishes[work.language_code].beside(work.text, work.finding.dialogue, work.now):
                work.finding = replace(work.finding, text=f"{beside} {work.finding.text}".strip())
            work.dialogue = work.finding.dialogue
        elif work.finding:
            work.has_effect = work.has_effect or _is_answer(work.finding)
        text = work.finding.text if work.finding else ""
        if work.parts and work.finding:  # what is asked comes at the end: a yes may be meant for no other question
            text = text.removesuffix(self._wishes[work.language_code].question(work.finding.dialogue)).rstrip()
        if work.is_plain:
            answers = self._answers[work.language_code]
            text = answers.beside(text) if work.objected in _OF_ANOTHER else answers.plain(text)
        if work.said and not (work.finding and (work.finding.act or work.finding.next is Next.CONFIRM)):
            text = _unsaid(text, work.said)
        work.said = f"{work.said} {text}".strip()
        if work.finding and work.finding.act:
            return Command(update={"say": text}, goto="act")
        command = self._go_on(work, text)
        if work.finding and work.finding.computed:
            computed = [str(number) for number in work.finding.computed]
            command = replace(command, update={**dict(command.update or {}), "computed": computed})
        if work.looked_up:
            command = replace(command, update={**dict(command.update or {}), "looked_up": list(work.looked_up)})
        return command

    async def act(self, state: CallState, runtime: Runtime[Work]) -> Command[str]:
        work = runtime.context
        work.show()
        command = self._go_on(work, "")
        if work.finding and work.finding.act:
            command = replace(command, update={**dict(command.update or {}), "act": _written(work.finding.act)})
        return command

    def finding_of(self, taken: SlotTaken, language_code: str) -> Finding:
        """Return what is said of a slot. One that could not be captured goes to a person, where callers may be put
        through.
        """
        dialogue = replace(taken.dialogue, kind="book", asked=taken.asked, n_unknown=0)
        if not taken.is_for_human:
            return Finding(taken.text, dialogue, Next.CONFIRM if taken.asked == "confirm" else Next.ASK)
        return self._reprompts[language_code].to_person(taken.text, dialogue)

    def _bounded(self, work: Work, finding: Finding) -> Finding:
        """The last finding of a turn; its question is bounded where it was asked before, and was heard."""
        question = self._wishes[work.language_code].question(finding.dialogue)
        pending = self._answers[work.language_code].pending(finding.dialogue)
        reply = f"{work.said} {finding.text} {pending}".strip()[:MAX_REMEMBERED_CHARS]
        names_value = any(part.slots.when or part.slots.services or part.slots.digits for part in work.all_parts)
        is_unheard = bool(work.history) and (not heard_last(work.history) or has_words(work.history[-1].unheard_text))
        is_new = names_value and reply != work.before.reply[:MAX_REMEMBERED_CHARS]
        is_answer = _is_answer(finding) and (finding.dialogue.n_unknown == 0 or reply != work.before.reply)
        has_effect = work.has_effect or is_answer or is_new or is_unheard
        return self._reprompts[work.language_code].bounded(
            finding,
            work.before,
            work.text,
            has_effect=has_effect,
            is_hum=is_hum(work.all_parts),
            question=question,
        )

    def _go_on(self, work: Work, text: str) -> Command[str]:
        """To the next part; behind the last one come back to a question that was interrupted, and remember."""
        if work.parts:
            return Command(update={"say": text}, goto="look_up")
        pending = self._answers[work.language_code].pending(work.dialogue)
        dialogue = work.dialogue
        update: dict[str, object] = {}
        if captures := self._captures[work.language_code]:
            text, pending, dialogue = self._asked_by(captures, work, text, pending)
            update["captured"] = f"{work.read_back}. {captures.read_back(dialogue)}".strip(". ")
            if expected := captures.expected(dialogue):
                update["expect"] = {
                    "kind": expected.kind.name,
                    "length": expected.length,
                    "phrases": list(expected.phrases),
                }
        elif dialogue.wish.phone:
            wish = dialogue.wish
            update["captured"] = f"{wish.name}. {wish.phone}. {self._wishes[work.language_code].spoken(wish.phone)}"
        if dialogue.kind != "repeat":
            dialogue = replace(dialogue, reply=f"{work.said} {pending}".strip())
        said = f"{text} {pending}".strip()
        return Command(update={**update, "say": said, "memory": as_state(dialogue)}, goto=END)

    def _asked_by(self, captures: Captures, work: Work, text: str, pending: str) -> tuple[str, str, Dialogue]:
        """The question for a slot in the words of its capture: the number they call from is offered first, and a
        capture that was interrupted goes on where it was.
        """
        dialogue = work.dialogue
        asked = captures.ask(dialogue, caller=work.caller)
        if asked is None or (dialogue.capture and not pending):
            return text, pending, dialogue
        work.read_back = f"{work.read_back}. {asked.read_back}"
        usual = self._wishes[work.language_code].question(dialogue)
        dialogue = replace(dialogue, capture=as_mapping(asked.state))
        if pending:
            return text, asked.text, dialogue
        return text.removesuffix(usual) + asked.text, pending, dialogue


def _is_answer(finding: Finding) -> bool:
    """Return whether a finding answers a question that the caller asked."""
    return finding.next is Next.ANSWER and finding.dialogue.kind not in _NO_QUESTIONS


def _unsaid(text: str, said: str) -> str:
    """A text without the sentences that were said before in the same reply."""
    before = set(sentences_of(said))
    return " ".join(sentence for sentence in sentences_of(text) if sentence not in before)


def _written(act: CallAct) -> dict[str, str]:
    match act:
        case Transfer(destination):
            return {"name": "transfer", "destination": destination}
        case SwitchLanguage(code):
            return {"name": "switch_language", "language_code": code, "when": "NOW"}
        case _:
            return {"name": "hang_up"}
