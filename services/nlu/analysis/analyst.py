"""Analyst: analyses calls beside their streams, by rules, with the summary by the agent's engine where it has one.

Few analyses run at once and each has a limit, so that they take nothing from the calls that are up: an analysis that
does not fit is refused, and a summary that is late is that of the rules.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from uuid import uuid4

from services.nlu.agent.interface import Agent
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.analysis.analysis import CallAnalysis, Known, KnowsCalls, Past
from services.nlu.analysis.rules import LONGEST_SUMMARY, analysis_of
from services.nlu.analysis.tenant_turns import TenantTurns
from services.nlu.engine import Message, NluEngine, ReplyRequest, Role, TextMade
from services.runtime.logs import get_logger

log = get_logger(__name__)

MOST_AT_ONCE = 2
MOST_WAITING = 32
MOST_OF_A_TENANT = 16
_SUMMARY_TURN = 1
_KEPT_TURNS = 30  # of a conversation, that a model is shown
_WISH = (  # an instruction to a model, in the language that models follow best
    "Summarise this telephone call for a colleague in at most three short sentences, in the caller's language. "
    "Say what the caller wanted, what was done, and what is still open. Add nothing that was not said."
)


class Analyst:
    """Analyst for every agent of the process."""

    def __init__(self, engine: NluEngine, *, limit_s: float) -> None:
        """`limit_s` is for one analysis, its wait for a place left out."""
        self._engine, self._limit_s = engine, limit_s
        self._turns = TenantTurns(MOST_AT_ONCE, most=MOST_WAITING, most_of_one=MOST_OF_A_TENANT)

    async def analyse(self, past: Past, agent: Agent, profile: AgentProfile, tenant_id: str = "") -> CallAnalysis:
        """Analyse a conversation. Raises CapacityError where too many analyses wait, of the tenant or altogether."""
        async with self._turns.place(tenant_id):
            return await self._analyse(past, agent, profile)

    async def _analyse(self, past: Past, agent: Agent, profile: AgentProfile) -> CallAnalysis:
        known = Known()
        found = analysis_of(past, known)
        try:
            async with asyncio.timeout(self._limit_s):
                if isinstance(agent, KnowsCalls):
                    known = await agent.known_of(past)
                    found = analysis_of(past, known)
                if isinstance(agent, PromptAgent) and any(entry.user_text for entry in past.history):
                    summary = await self._summary(past)
                    found = replace(found, summary=summary, made_by=self._engine.name) if summary else found
        except TimeoutError:
            log.warning("analysis_late", agent_id=profile.agent_id)
        except Exception:  # any failure of a library: the rules have made an analysis already
            log.exception("analysis_broke", agent_id=profile.agent_id)
        return found

    async def _summary(self, past: Past) -> str:
        """Return the summary of a call by the agent's engine."""
        said = []
        for entry in past.history[-_KEPT_TURNS:]:
            for who, text in (("Caller", entry.user_text), ("Agent", entry.heard_text)):
                words = " ".join(text.split())  # a line of its own could pass for what the other said
                said += [f"{who}: {words}"] if words else []
        conversation = f"analysis.{uuid4().hex}"
        request = ReplyRequest(
            conversation=conversation,
            turn_id=_SUMMARY_TURN,
            messages=(Message(Role.SYSTEM, _WISH), Message(Role.CALLER, "\n".join(said))),
            language_code=past.language_code,
            is_draft=True,  # the turns of calls that are up go first
        )
        text = ""
        try:
            async with aclosing(self._engine.reply(request)) as parts:
                async for part in parts:
                    if isinstance(part, TextMade):
                        text += part.text
                    if len(text) >= LONGEST_SUMMARY:
                        break
        finally:
            await self._engine.forget(conversation)
        return text.strip()[:LONGEST_SUMMARY]
