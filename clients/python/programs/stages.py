"""`say`, `hear` and `chat`: one stage each, without the gateway."""

import asyncio
import os

from voice.nlu.v1 import nlu_pb2
from voice.stt.v1 import stt_pb2

from clients.python.connection import Connection
from clients.python.conversation import Conversation
from clients.python.errors import ServerError, TongDaiError
from clients.python.programs.flags import Given
from clients.python.programs.names import name_of
from clients.python.programs.source import lines, source
from clients.python.recognition import Recognition
from clients.python.speech import Speech
from clients.python.wav import Wav, write_wav


async def say(connection: Connection, given: Given) -> int:
    """Text to a WAV."""
    text, output = given.operands
    text = os.fsencode(text).decode(errors="replace")  # bytes that are no UTF-8
    rate = given.whole("sample-rate")
    speech = await Speech.open(
        connection,
        sample_rate_hertz=rate,
        **given.whose,
        voice=given.text("voice"),
        rate=given.number("rate"),
        max_lead_ms=0,
    )
    print(f"engine {speech.engine.name} {speech.engine.model}", flush=True)
    samples = bytearray()
    async for response in speech.say(text):
        if response.WhichOneof("response") == "audio":
            samples += response.audio.chunk.content
    await speech.close()
    write_wav(output, Wav(rate, bytes(samples)))
    print(f"spoken {len(samples) // 2} samples at {rate} Hz")
    return 0


async def hear(connection: Connection, given: Given) -> int:
    """A WAV to text, with drafts and partials."""
    sound, rate = await source(given, given.operands[0])
    recognition = await Recognition.open(
        connection,
        sample_rate_hertz=rate,
        **given.whose,
    )
    print(f"engine {recognition.engine.name} {recognition.engine.model}", flush=True)

    def tell(sample: int, line: str) -> None:
        print(f"{sample * 1000 // rate / 1000:8.3f} {line}", flush=True)  # whole ms: languages round halves differently

    async def send() -> None:
        await recognition.hear(sound, is_paced=not given.text("fast"))
        await recognition.half_close()

    sending = asyncio.create_task(send())
    try:
        async for response in recognition:
            match response.WhichOneof("response"):
                case "speech_activity":
                    activity = response.speech_activity
                    edge = name_of(stt_pb2.SpeechActivity.Kind, activity.kind, "KIND_").lower()
                    tell(activity.sample, f"speech {edge}")
                case "transcript":
                    text = response.transcript
                    stage = name_of(stt_pb2.Transcript.Stage, text.stage, "STAGE_").lower()
                    tell(text.end_sample, f"{stage}: {text.text}")
                case "utterance_settled":
                    settled = response.utterance_settled
                    if settled.outcome == stt_pb2.UtteranceSettled.OUTCOME_FAILED:
                        raise ServerError("FAILED", settled.reason, settled.message)
    finally:
        sending.cancel()
    return 0


async def chat(connection: Connection, given: Given) -> int:
    """Talk to the agent: a line of stdin is a turn."""
    talk = await Conversation.open(connection, **given.whose)
    print(f"engine {talk.engine.name} {talk.engine.model} agent={talk.agent.agent_id}", flush=True)
    said = lines()
    line = ""
    while True:
        acts: list[str] = []
        is_begun = False
        try:
            async for response in talk.say(line) if line else talk.greet():
                match response.WhichOneof("response"):
                    case "reply_text":
                        print(("" if is_begun else "agent: ") + response.reply_text.text, end="", flush=True)
                        is_begun = True
                    case "call_action":
                        acts.append(act_of(response.call_action))
        except TongDaiError as error:
            if error.code != "FAILED":
                raise
            print(f"{chr(10) if is_begun else ''}failed: {error.reason}", flush=True)
            is_begun = False
        if is_begun:
            print(flush=True)
        for act in acts:
            print(f"action: {act}", flush=True)
        if "hang_up" in acts:
            break
        line = await anext(said, "")
        if not line:
            break
    await talk.close()
    return 0


def act_of(action: nlu_pb2.CallAction) -> str:
    """An act and where it goes, as one word or two."""
    match action.WhichOneof("action"):
        case "transfer":
            return f"transfer {action.transfer.destination}"
        case "send_dtmf":
            return f"send_dtmf {action.send_dtmf.digits}"
        case "switch_language":
            return f"switch_language {action.switch_language.language_code}"
    return str(action.WhichOneof("action") or "unknown")
