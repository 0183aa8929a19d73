"""The agent as its YAML file describes it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import yaml
from phonenumbers import SUPPORTED_REGIONS
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.nlu.agent.language import find_language
from services.nlu.agent.tools import TOOLS
from services.runtime.errors import StartupError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class PromptKind(StrEnum):
    """When the gateway speaks by itself."""

    APOLOGY = "apology"  # a stage failed and the turn is tried again
    GOODBYE = "goodbye"  # a stage failed for good, or the call has lasted too long
    STILL_THERE = "still_there"  # the caller has been silent
    SILENCE_GOODBYE = "silence_goodbye"  # again and again
    RECOVERED = "recovered"  # the gateway took up a call that it had lost


class Voice(_Part):
    """How one language sounds."""

    voice: str = ""  # of the TTS engine; empty: its own for the language
    rate: float = Field(1.0, ge=0.5, le=2.0)


class LexiconEntry(_Part):
    """How to say a word the voice gets wrong."""

    written: str = Field(min_length=1)
    spoken: str = Field(min_length=1)
    language_code: str = ""  # empty: every one


class Endpointing(_Part):
    """How long to wait for the caller, in milliseconds of audio; 0: the gateway's default."""

    draft_pause_ms: int = Field(0, ge=0)
    complete_wait_ms: int = Field(0, ge=0)
    unfinished_wait_ms: int = Field(0, ge=0)
    silence_prompt_ms: int = Field(0, ge=0)


class BargeIn(_Part):
    """When the caller may talk over the agent; 0: the gateway's default."""

    min_speech_ms: int = Field(0, ge=0)
    min_words: int = Field(0, ge=0)
    protected_greeting_ms: int = Field(0, ge=0)


class Example(_Part):
    """A question and the answer that shows the model how to speak."""

    caller: str = Field(min_length=1)
    agent: str = Field(min_length=1)


class Persona(_Part):
    """Who the agent is in one language, in that language's words."""

    greeting: str = Field(min_length=1)  # the first words of a call
    farewell: str = Field(min_length=1)  # the last words, before it hangs up
    instructions: str = Field(min_length=1)  # who it is, what it knows
    examples: tuple[Example, ...] = ()


class AgentProfile(_Part):
    """One agent. `personas` are the languages it speaks, its own first; `prompts` may cover more."""

    agent_id: str = Field(min_length=1, max_length=64)
    kind: str = "prompt"  # a name of agent/kinds.py, or a factory "package.module:name"
    personas: dict[str, Persona] = Field(min_length=1)
    voices: dict[str, Voice] = {}
    prompts: dict[PromptKind, dict[str, str]] = {}
    lexicon: tuple[LexiconEntry, ...] = ()
    phrases: tuple[str, ...] = ()  # to favour when listening: names, products
    region: str = ""  # whose telephone numbers callers give: ISO 3166-1, "VN"; empty: not known
    tools: tuple[str, ...] = ()  # by name, from agent/tools.py
    endpointing: Endpointing = Endpointing()
    barge_in: BargeIn = BargeIn()

    @property
    def language_codes(self) -> tuple[str, ...]:
        return tuple(self.personas)

    def prompt(self, kind: PromptKind, language_code: str) -> str:
        """What is said then, in the language or else in the agent's own."""
        texts = self.prompts[kind]
        return texts[find_language(language_code, tuple(texts)) or self.language_codes[0]]

    @model_validator(mode="after")
    def _every_prompt_can_be_said(self) -> AgentProfile:
        for kind in PromptKind:
            missing = [code for code in self.language_codes if code not in self.prompts.get(kind, {})]
            if missing:
                raise ValueError(f"prompts.{kind}: no text for {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _region_is_known(self) -> AgentProfile:
        if self.region and self.region not in SUPPORTED_REGIONS:
            raise ValueError(f"region: {self.region!r} is no region: use two letters of ISO 3166-1, as VN")
        return self

    @model_validator(mode="after")
    def _every_tool_is_known(self) -> AgentProfile:
        unknown = [name for name in self.tools if name not in TOOLS]
        if unknown:
            raise ValueError(f"tools: no tool is called {', '.join(unknown)}; there are {', '.join(TOOLS)}")
        return self


def read_agents(folder: Path) -> dict[str, AgentProfile]:
    """Every agent of a folder of *.yaml files, by agent_id. Raises StartupError, one line that names file and field."""
    agents: dict[str, AgentProfile] = {}
    for path in sorted(folder.glob("*.yaml")):
        agent = _read(path)
        if agent.agent_id in agents:
            raise StartupError(f"{path}: agent_id {agent.agent_id!r} is taken by another file of the folder")
        agents[agent.agent_id] = agent
    if not agents:
        raise StartupError(f"NLU_AGENTS_DIR={folder}: no *.yaml file there")
    return agents


def _read(path: Path) -> AgentProfile:
    try:
        return AgentProfile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise StartupError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
