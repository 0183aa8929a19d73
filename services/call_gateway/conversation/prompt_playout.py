"""Playout of prompts: the gateway's own words, each a turn with an id of its own, reported with its text."""

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.commands import ReportPlayout, TurnFinished
from services.call_gateway.conversation.events import VoiceAudio
from services.call_gateway.conversation.record import HeardTurn, TurnNotes, TurnOutcome
from services.call_gateway.conversation.voice import Voice
from services.call_gateway.prompts.book import PromptKind


def say(call: Call, kind: PromptKind) -> float:
    """Say a prompt before anything else. Returns how long it takes, in seconds; 0 when there is no such prompt."""
    prompt = call.prompts.find(kind, call.language_code)
    if prompt is None:
        call.counters["missing_prompts"] += 1
        return 0.0
    audio_format = call.audio_format
    n_samples = len(prompt.content) // audio_format.bytes_per_sample
    duration_ms = n_samples * 1000 // audio_format.sample_rate_hertz
    voice = Voice(call.new_turn_id(), audio_format, max_held_ms=duration_ms + 1)
    voice.write(prompt.text)
    voice.add_audio(VoiceAudio(voice.turn_id, 0, prompt.content[: n_samples * audio_format.bytes_per_sample]))
    voice.complete()
    call.prompt_voices.append(voice)
    call.playout.enqueue(voice, first=True)
    return duration_ms / 1000


def finish_prompt(call: Call, voice: Voice, *, outcome: TurnOutcome = TurnOutcome.COMPLETED) -> bool:
    """Finish a prompt: no more of it will be heard. Returns False when the voice is not a prompt's."""
    if voice not in call.prompt_voices:
        return False
    call.prompt_voices.remove(voice)
    call.playout.remove(voice)
    heard = voice.text[: voice.offset_at(call.playout.played(voice))]
    if heard:
        call.command(ReportPlayout(voice.turn_id, len(heard), is_final=True, gateway_text=heard))
        call.history.add(HeardTurn(voice.turn_id, "", heard, is_gateway=True))
    record = TurnNotes().finished(voice.turn_id, outcome=outcome, heard_text=heard, is_gateway=True)
    call.command(TurnFinished(record))
    return True


def stop_prompts(call: Call) -> None:
    """Stop the gateway's own words in mid-word."""
    for voice in tuple(call.prompt_voices):
        finish_prompt(call, voice, outcome=TurnOutcome.INTERRUPTED)
