"""The part of an agent's profile that the gateway needs. The NLU stage sends the profile when its stream opens."""

from dataclasses import dataclass

from services.call_gateway.prompts.book import PromptKind

ALL_ACTS = frozenset({"hang_up", "transfer", "send_dtmf", "switch_language"})
HARMLESS_ACTS = frozenset({"hang_up", "switch_language"})
"""The actions of an agent whose server sends no list of allowed actions."""


@dataclass(frozen=True, slots=True)
class AgentVoice:
    """The voice for one language."""

    language_code: str  # BCP-47
    voice: str = ""  # a voice of the TTS engine; empty: the engine's own
    rate: float = 0.0  # 0.5 to 2.0; 0 means 1.0


@dataclass(frozen=True, slots=True)
class AgentPrompt:
    """A sentence the gateway says by itself."""

    kind: PromptKind
    language_code: str
    text: str


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """The pronunciation of one word."""

    written: str
    spoken: str
    language_code: str = ""  # empty: every language
    ipa: str = ""
    spoken_language_code: str = ""  # empty: the text's


@dataclass(frozen=True, slots=True)
class AgentEndpointing:
    """The agent's endpointing: waits for the caller, in milliseconds. Zero means the gateway's default."""

    draft_pause_ms: int = 0
    complete_wait_ms: int = 0
    unfinished_wait_ms: int = 0
    silence_prompt_ms: int = 0


@dataclass(frozen=True, slots=True)
class AgentBargeIn:
    """The agent's barge-in rules. Zero means the gateway's default."""

    min_speech_ms: int = 0
    min_words: int = 0
    protected_greeting_ms: int = 0


@dataclass(frozen=True, slots=True)
class AgentDestination:
    """A transfer destination that callers may name."""

    names: tuple[str, ...]
    target: str  # a number in E.164, a SIP URI, or an extension of the dialplan


@dataclass(frozen=True, slots=True)
class FixedText:
    """Words that the agent says in every call: its greeting, its goodbye."""

    language_code: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """One agent: the session hands its voices to TTS and its timing to STT, the conversation keeps the rest."""

    agent_id: str = ""
    voices: tuple[AgentVoice, ...] = ()
    language_codes: tuple[str, ...] = ()  # BCP-47, its own language first
    prompts: tuple[AgentPrompt, ...] = ()
    fixed_texts: tuple[FixedText, ...] = ()  # said word for word in every call
    lexicon: tuple[Pronunciation, ...] = ()
    endpointing: AgentEndpointing = AgentEndpointing()
    barge_in: AgentBargeIn = AgentBargeIn()
    phrases: tuple[str, ...] = ()  # words to favour when listening
    destinations: tuple[AgentDestination, ...] = ()
    acts: frozenset[str] = ALL_ACTS  # kinds of CallAction that it may ask for; a server's profile always says
    tenants: tuple[str, ...] = ()  # the tenants it belongs to; empty: every tenant
    region: str = ""  # whose telephone numbers callers give, ISO 3166-1; empty: not known
