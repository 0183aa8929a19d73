"""Story of a call whose stages are in trouble, as the caller hears it."""

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from tests.unit.call_gateway.conversation.driver import Call

NLU, TTS = ev.Stage.NLU, ev.Stage.TTS
MAX_DEAD_AIR_MS = 3000
MAX_WAIT_MS = 5100  # between two phrases for a caller who waits


def longest_silence_ms(call: Call, *, until_ms: int | None = None) -> int:
    longest = run = 0
    for when, content in call.frames:
        if until_ms is not None and when > until_ms:
            break
        run = 0 if content is not None else run + 20
        longest = max(longest, run)
    return longest


def prompts_heard(call: Call) -> list[str]:
    return [report.gateway_text for report in call.all(cmd.ReportPlayout) if report.gateway_text]
