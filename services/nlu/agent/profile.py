"""The agent as its YAML file describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
import yaml
from phonenumbers import SUPPORTED_REGIONS
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError, model_validator

from services.language.destinations import allowed_target
from services.language.phonetics import no_ipa
from services.language.words import normalise
from services.nlu.agent.acts import ACT_NAMES, act_name
from services.nlu.agent.capture.slots import Slot
from services.nlu.agent.facts import NO_FACTS, Facts
from services.nlu.agent.facts_file import AgentFileError, load_facts, past_exceptions
from services.nlu.agent.language import find_language
from services.nlu.agent.outcomes import OutcomeKind, words_of
from services.nlu.agent.tool_packages import PackageUse, split_tools
from services.nlu.agent.tools import PACKAGES, TOOLS
from services.nlu.agent.yaml_lines import RepeatedKey, line_of, read_yaml
from services.nlu.outputs import Act, Transfer
from services.runtime.errors import StartupError
from services.runtime.logs import get_logger

log = get_logger(__name__)

_SIP_URI: Final = re.compile(r"sips?:[A-Za-z0-9_.!~*'()%+-]{1,64}@[A-Za-z0-9.-]{1,120}(?::\d{1,5})?")
HARMLESS_ACTS: Final = ("hang_up", "switch_language")
"""The acts of an agent whose file names none: nothing that calls or costs anybody."""
_EXTENSION: Final = re.compile(r"[+*#A-Za-z0-9_-]{1,40}")


class _ProfileModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class PromptKind(StrEnum):
    """The occasion of a prompt that the gateway speaks by itself."""

    APOLOGY = "apology"  # a stage failed and the turn is tried again
    GOODBYE = "goodbye"  # a stage stays away, or the call has lasted too long
    STILL_THERE = "still_there"  # the caller has been silent
    SILENCE_GOODBYE = "silence_goodbye"  # again and again
    RECOVERED = "recovered"  # the gateway took up a call that it had lost
    ONE_MOMENT = "one_moment"  # the answer takes a while
    STILL_WITH_YOU = "still_with_you"  # it takes longer still
    SAY_AGAIN = "say_again"  # what the caller said was not understood
    TRANSFER_FAILED = "transfer_failed"  # an act on the call failed, and the agent cannot say so itself


OPTIONAL_PROMPTS = frozenset(
    {PromptKind.ONE_MOMENT, PromptKind.STILL_WITH_YOU, PromptKind.SAY_AGAIN, PromptKind.TRANSFER_FAILED}
)
"""Left out, they are said in the gateway's own words."""


class Voice(_ProfileModel):
    """The voice of one language."""

    voice: str = ""  # of the TTS engine; empty: its own for the language
    rate: float = Field(1.0, ge=0.5, le=2.0)


class LexiconEntry(_ProfileModel):
    """The pronunciation of a word that the voice gets wrong."""

    written: str = Field(min_length=1)
    spoken: str = ""  # may be empty where one of the last two is not: the word itself
    language_code: str = ""  # empty: every one
    ipa: str = ""  # how it sounds, in the International Phonetic Alphabet
    spoken_language_code: str = ""  # whose words `spoken` is; empty: the text's

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if not (self.spoken or self.ipa or self.spoken_language_code):
            raise ValueError(f"{self.written!r}: write spoken, ipa or spoken_language_code")
        if (wrong := no_ipa(self.ipa)) != "":
            raise ValueError(f"{self.written!r}: {wrong!r} in ipa is no sign of the International Phonetic Alphabet")
        return self


class Endpointing(_ProfileModel):
    """The waits for the caller, in milliseconds of audio; 0: the gateway's default."""

    draft_pause_ms: int = Field(0, ge=0)
    complete_wait_ms: int = Field(0, ge=0)
    unfinished_wait_ms: int = Field(0, ge=0)
    silence_prompt_ms: int = Field(0, ge=0)


class BargeIn(_ProfileModel):
    """The barge-in rules; 0: the gateway's default."""

    min_speech_ms: int = Field(0, ge=0)
    min_words: int = Field(0, ge=0)
    protected_greeting_ms: int = Field(0, ge=0)


class Example(_ProfileModel):
    """A question and the answer that shows the model how to speak."""

    caller: str = Field(min_length=1)
    agent: str = Field(min_length=1)


class Destination(_ProfileModel):
    """A transfer destination that callers may name: one of a telephone number, a SIP URI and a dialplan extension."""

    name: str = Field(min_length=1, max_length=64)
    aliases: tuple[str, ...] = ()
    number: str = ""  # E.164
    sip: str = ""  # sip: or sips:, dialled as it is written
    extension: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    @property
    def target(self) -> str:
        return self.number or self.sip or self.extension

    @model_validator(mode="after")
    def _names_one_place(self) -> Destination:
        if len([target for target in (self.number, self.sip, self.extension) if target]) != 1:
            raise ValueError(f"{self.name!r}: give it one of number, sip, extension")
        if self.number and not _is_number(self.number):
            raise ValueError(f"{self.name!r}: number: write {self.number!r} as +, country code and number")
        if self.sip and not _SIP_URI.fullmatch(self.sip):
            raise ValueError(f"{self.name!r}: sip: write {self.sip!r} as sip:user@host")
        if self.extension and not _EXTENSION.fullmatch(self.extension):
            raise ValueError(f"{self.name!r}: extension: {self.extension!r} has other than letters, digits, + * # _ -")
        if not all(normalise(name) for name in self.names):
            raise ValueError(f"{self.name!r}: a name without a letter or digit cannot be looked up")
        return self


class Persona(_ProfileModel):
    """The agent's persona in one language, in that language's words."""

    greeting: str = Field(min_length=1)  # the first words of a call
    farewell: str = Field(min_length=1)  # the last words, before it hangs up
    instructions: str = Field(min_length=1)  # who it is, what it knows
    unknown: str = ""  # said where it does not know; empty: the language's own sentence
    examples: tuple[Example, ...] = ()


class AgentProfile(_ProfileModel):
    """One agent. `personas` are the languages it speaks, its own first; `prompts` may cover more."""

    agent_id: str = Field(min_length=1, max_length=64)
    kind: str = Field("prompt", min_length=1)  # "graph", "prompt", or "package.module:factory" of one's own
    timezone: str = "UTC"  # of the tenant, from the IANA database: "Asia/Ho_Chi_Minh"
    facts: InstanceOf[Facts] = NO_FACTS
    personas: dict[str, Persona] = Field(min_length=1)
    voices: dict[str, Voice] = {}
    prompts: dict[PromptKind, dict[str, str]] = {}
    lexicon: tuple[LexiconEntry, ...] = ()
    phrases: tuple[str, ...] = ()  # to favour when listening: names, products
    region: str = ""  # whose telephone numbers callers give: ISO 3166-1, "VN"; empty: not known
    tenants: tuple[str, ...] = ()  # whose it is: for others it does not exist; empty: everybody's
    handover: str = ""  # where callers who ask for a person are put through: one of the destinations
    callbacks: bool = False  # takes requests to be called back; those who watch calls, or the webhook, hear of them
    graph: str = ""  # kind graph: a compiled LangGraph graph of one's own, "package.module:name"
    slots: tuple[Slot, ...] = ()  # what callers are asked for by the letter, beside name and number
    temperature: float | None = Field(None, ge=0, le=2)  # of its model's replies; left out: the engine's own
    tools: tuple[str, ...] = ()  # those it may run, by name, from agent/tools.py
    packages: tuple[InstanceOf[PackageUse], ...] = ()  # the mappings of the file's `tools`
    acts: tuple[str, ...] = HARMLESS_ACTS  # those it may do to the call, by name, whatever its model says
    destinations: tuple[Destination, ...] = ()  # where it may transfer to by name
    outcomes: dict[OutcomeKind, dict[str, str]] = {}  # how it says how an act ended; else the language's words
    endpointing: Endpointing = Endpointing()
    barge_in: BargeIn = BargeIn()

    @model_validator(mode="before")
    @classmethod
    def _read_facts(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or isinstance(fields.get("facts"), Facts):
            return fields
        personas = fields.get("personas")
        languages = tuple(personas) if isinstance(personas, Mapping) else ()
        return {**fields, "facts": load_facts(fields.get("facts"), languages=languages)}

    @model_validator(mode="before")
    @classmethod
    def _read_packages(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or "tools" not in fields or "packages" in fields:
            return fields
        names, packages = split_tools(fields["tools"])
        return {**fields, "tools": names, "packages": packages}

    @property
    def zone(self) -> ZoneInfo:
        """Return the tenant's timezone."""
        return ZoneInfo(self.timezone)

    @property
    def language_codes(self) -> tuple[str, ...]:
        return tuple(self.personas)

    def is_for(self, tenant_id: str) -> bool:
        """Return whether a tenant has the agent."""
        return not self.tenants or tenant_id in self.tenants

    def may(self, act: Act) -> bool:
        """Return whether the file allows an act: by its kind, and of transfers by where they go."""
        if act_name(act) not in self.acts:
            return False
        if not isinstance(act, Transfer):
            return True
        return bool(allowed_target(act.destination, self.destinations, region=self.region))

    def prompt(self, kind: PromptKind, language_code: str) -> str:
        """Return what is said then, in the language or else in the agent's own."""
        texts = self.prompts[kind]
        return texts[find_language(language_code, tuple(texts)) or self.language_codes[0]]

    def outcome(self, kind: OutcomeKind, language_code: str) -> str:
        """Return how it says that an act on the call ended so: in its own words, else in the language's."""
        texts = self.outcomes.get(kind)
        if texts is None:
            return words_of(kind, language_code)
        return texts[find_language(language_code, tuple(texts)) or self.language_codes[0]]

    @model_validator(mode="after")
    def _every_prompt_can_be_said(self) -> AgentProfile:
        for kind in (kind for kind in PromptKind if kind not in OPTIONAL_PROMPTS or kind in self.prompts):
            missing = [code for code in self.language_codes if code not in self.prompts.get(kind, {})]
            if missing:
                raise ValueError(f"prompts.{kind}: no text for {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _timezone_is_known(self) -> AgentProfile:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise AgentFileError(
                ("timezone",), f"{self.timezone!r} is none: use one like Asia/Ho_Chi_Minh; tzdata brings them"
            ) from None
        return self

    @model_validator(mode="after")
    def _every_outcome_can_be_said(self) -> AgentProfile:
        for kind, texts in self.outcomes.items():
            missing = [code for code in self.language_codes if code not in texts]
            if missing:
                raise ValueError(f"outcomes.{kind}: no text for {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _every_destination_has_names_of_its_own(self) -> AgentProfile:
        seen: set[tuple[str, ...]] = set()
        for name in (name for destination in self.destinations for name in destination.names):
            if normalise(name) in seen:
                raise ValueError(f"destinations: {name!r} names two of them")
            seen.add(normalise(name))
        return self

    @model_validator(mode="after")
    def _region_is_known(self) -> AgentProfile:
        if self.region and self.region not in SUPPORTED_REGIONS:
            raise ValueError(f"region: {self.region!r} is no region: use two letters of ISO 3166-1, as VN")
        return self

    @model_validator(mode="after")
    def _every_slot_has_a_name_of_its_own(self) -> AgentProfile:
        names = [slot.name for slot in self.slots]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"slots: {min(twice)!r} names two of them")
        return self

    @model_validator(mode="after")
    def _every_tool_is_known(self) -> AgentProfile:
        for name in self.tools:
            if name not in TOOLS and name not in PACKAGES:
                known = ", ".join([*TOOLS, *PACKAGES])
                raise AgentFileError(
                    ("tools",), f"no tool is called {name}; there are {known}, and packages, as `package: NAME`"
                )
        return self

    @model_validator(mode="after")
    def _every_act_is_known(self) -> AgentProfile:
        known = ACT_NAMES - {"expect"}
        unknown = [name for name in self.acts if name not in known]
        if unknown:
            raise ValueError(f"acts: no act is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        return self

    @model_validator(mode="after")
    def _handover_is_allowed(self) -> AgentProfile:
        if self.handover and not self.may(Transfer(self.handover)):
            raise AgentFileError(
                ("handover",),
                f"{self.handover!r} cannot be reached: list it under destinations, and transfer under acts",
            )
        return self


def _is_number(text: str) -> bool:
    try:
        return text.startswith("+") and phonenumbers.is_possible_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


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
    tree: yaml.Node | None = None
    try:
        values, tree = read_yaml(path.read_text(encoding="utf-8"))
        agent = AgentProfile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        at = cause.path if isinstance(cause, AgentFileError) else first["loc"]
        message = first["msg"].removeprefix("Value error, ")
        if not isinstance(cause, AgentFileError):
            message = f"{'.'.join(str(part) for part in at) or 'file'}: {message}"
        raise StartupError(f"{path}: line {line_of(tree, at)}: {message}") from error
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RepeatedKey) as error:
        raise StartupError(f"{path}: {' '.join(str(error).split())}") from error
    for day in past_exceptions(agent.facts, datetime.now(agent.zone).date()):
        number = list(agent.facts.hours.exceptions).index(day) if agent.facts.hours else 0
        at = ("facts", "hours", "exceptions", number, "date")
        hint = f"line {line_of(tree, at)}: {'.'.join(map(str, at))}: it changes nothing any more"
        log.warning("exception_past", file=str(path), date=str(day), hint=hint)
    return agent
