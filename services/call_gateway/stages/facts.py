"""Facts of a call that every stage is told when its stream opens."""

from dataclasses import dataclass

from services.audio.pcm import AudioFormat


@dataclass(frozen=True, slots=True)
class CallFacts:
    """The fixed facts of one call."""

    call_id: str
    tenant_id: str
    agent_id: str
    language_codes: tuple[str, ...]  # BCP-47, likeliest first; empty: the agent's own
    caller: str  # personal data
    audio_format: AudioFormat  # both ways
    visit_id: str = ""  # the caller's visit, the same on every stream; idempotency keys are made of it
