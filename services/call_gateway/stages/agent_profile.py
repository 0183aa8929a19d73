"""Translates the agent's profile from the NLU server's message to the conversation's."""

from voice.nlu.v1 import agent_pb2

from services.call_gateway.profile import (
    HARMLESS_ACTS,
    AgentBargeIn,
    AgentDestination,
    AgentEndpointing,
    AgentProfile,
    AgentPrompt,
    AgentVoice,
    FixedText,
    Pronunciation,
)
from services.call_gateway.prompts.book import PromptKind

_PROMPT_KINDS = {
    agent_pb2.Prompt.KIND_APOLOGY: PromptKind.APOLOGY,
    agent_pb2.Prompt.KIND_GOODBYE: PromptKind.GOODBYE,
    agent_pb2.Prompt.KIND_STILL_THERE: PromptKind.STILL_THERE,
    agent_pb2.Prompt.KIND_SILENCE_GOODBYE: PromptKind.SILENCE_GOODBYE,
    agent_pb2.Prompt.KIND_RECOVERED: PromptKind.RECOVERED,
    agent_pb2.Prompt.KIND_ONE_MOMENT: PromptKind.ONE_MOMENT,
    agent_pb2.Prompt.KIND_STILL_WITH_YOU: PromptKind.STILL_WITH_YOU,
    agent_pb2.Prompt.KIND_SAY_AGAIN: PromptKind.SAY_AGAIN,
    agent_pb2.Prompt.KIND_TRANSFER_FAILED: PromptKind.TRANSFER_FAILED,
}


def profile_of(message: agent_pb2.AgentProfile) -> AgentProfile:
    """The profile in the conversation's words. Prompts of a kind not known here are left out."""
    endpointing, barge_in = message.endpointing, message.barge_in
    return AgentProfile(
        agent_id=message.agent_id,
        voices=tuple(AgentVoice(voice.language_code, voice.voice, voice.rate) for voice in message.voices),
        language_codes=tuple(message.language_codes),
        prompts=tuple(
            AgentPrompt(_PROMPT_KINDS[prompt.kind], prompt.language_code, prompt.text)
            for prompt in message.prompts
            if prompt.kind in _PROMPT_KINDS
        ),
        fixed_texts=tuple(FixedText(fixed.language_code, fixed.text) for fixed in message.fixed_texts),
        destinations=tuple(
            AgentDestination((place.name, *place.aliases), str(getattr(place, target)))
            for place in message.destinations
            if (target := place.WhichOneof("target")) is not None
        ),
        region=message.region,
        acts=frozenset(message.allowed_acts.acts) if message.HasField("allowed_acts") else HARMLESS_ACTS,
        tenants=tuple(message.tenants),
        lexicon=tuple(
            Pronunciation(word.written, word.spoken, word.language_code, word.ipa, word.spoken_language_code)
            for word in message.lexicon
        ),
        endpointing=AgentEndpointing(
            draft_pause_ms=endpointing.draft_pause_ms,
            complete_wait_ms=endpointing.complete_wait_ms,
            unfinished_wait_ms=endpointing.unfinished_wait_ms,
            silence_prompt_ms=endpointing.silence_prompt_ms,
        ),
        barge_in=AgentBargeIn(
            min_speech_ms=barge_in.min_speech_ms,
            min_words=barge_in.min_words,
            protected_greeting_ms=barge_in.protected_greeting_ms,
        ),
        phrases=tuple(message.phrases),
    )


def voice_for(profile: AgentProfile, language_code: str) -> AgentVoice:
    """The agent's voice for a language: "vi-VN", else any Vietnamese one, else the engine's own."""
    primary = language_code.split("-", maxsplit=1)[0].lower()
    of_language = [
        voice for voice in profile.voices if voice.language_code.split("-", maxsplit=1)[0].lower() == primary
    ]
    exact = [voice for voice in of_language if voice.language_code.lower() == language_code.lower()]
    return next(iter(exact + of_language), AgentVoice(language_code))
