"""Call the running stack and show what was said, heard, and how long each part took: `make call`."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from pydantic import ValidationError

from clients.phone.caller import Asked, Question, converse
from clients.phone.evidence import Evidence, sounds_of, told_of
from clients.phone.line import CallerLine
from clients.phone.program_line import ProgramLine
from clients.phone.recording import UnusableWav, read_wav, write_wav
from clients.phone.report import has_gone_well, latency_table, transcript
from clients.phone.scenarios import ScenarioCaller, play
from clients.phone.settings import PhoneSettings
from clients.phone.timeline import timeline
from clients.phone.verdicts import VERDICTS
from clients.phone.watch import CallWatch, GatewayAway
from services.runtime.channels import open_channel


class CallFailed(Exception):
    """The call could not be placed; the message says what to do."""


async def run(settings: PhoneSettings) -> int:
    """Place the call and report. 0 when every question was answered, or the scenario's behaviour was seen.

    Raises CallFailed, UnusableWav.
    """
    questions = [Question(file, read_wav(file)) for file in settings.files]
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(open_channel(each, settings.channel)) for each in settings.gateways]
        try:
            async with CallWatch(*channels) as watch, _line(settings, channels[0]) as line:
                answered_at_ns = time.time_ns() - round(line.now_s() * 1e9)
                caller = ScenarioCaller(line, settings.language, _say, watch.has_agent_floor)
                caller.last_heard, caller.diary = watch.last_heard, settings.diary
                if settings.shown is None:
                    caller.asked = await converse(line, questions, _say, has_agent_floor=watch.has_agent_floor)
                else:
                    await play(settings.scenario, caller)
                if not await watch.wait_ended():
                    _say("the gateway did not tell how the call ended")
        except GatewayAway as error:
            raise CallFailed(
                f"no gateway answers at {', '.join(settings.gateways)} ({error}): {_remedy(str(error), settings)}"
            ) from error
    if settings.shown is not None:
        return _report_scenario(settings, caller, watch, answered_at_ns)
    _report(caller.asked, watch)
    _keep_recordings(settings, line)
    return 0 if len(caller.asked) == len(questions) and has_gone_well(caller.asked, watch.events) else 1


def _remedy(code: str, settings: PhoneSettings) -> str:
    """Return what to do when a gateway refuses with a status."""
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return "set PHONE_TOKEN to a token with the scopes connect and watch"
    is_plain = settings.tls_ca_file is None
    tls = "; with TLS on, set PHONE_TLS_CA_FILE" if is_plain else "; PHONE_TLS_CA_FILE must have signed its certificate"
    return f"start it with `make run-stack`, or set PHONE_GATEWAY{tls}"


@asynccontextmanager
async def _line(settings: PhoneSettings, channel: grpc.aio.Channel) -> AsyncIterator[CallerLine]:
    """The call, answered."""
    if settings.edge == "grpc":
        _say(f"calling the gateway at {settings.gateway} over gRPC")
        async with ProgramLine(channel) as line:
            yield line
        return
    from clients.phone.sip_phone import PhoneFailed, SipPhones  # noqa: PLC0415  a SIP stack that only this line needs

    _say(f"calling {settings.number}")
    async with SipPhones(
        sip_port=settings.sip_port, rtp_first=settings.rtp_first, rtp_last=settings.rtp_last
    ) as phones:
        try:
            call = await phones.call(settings.number)
        except PhoneFailed as error:
            raise CallFailed(
                f"{error}: start Asterisk with `make pbx`, set PHONE_NUMBER to one of yours, or use EDGE=grpc"
            ) from error
        yield call


def _report(asked: list[Asked], watch: CallWatch) -> None:
    print("\nWhat was said and heard, as the gateway has it:")
    print(*(f"  {text}" for text in transcript(watch.events)), sep="\n")
    _show_latency(asked, watch)


def _report_scenario(settings: PhoneSettings, caller: ScenarioCaller, watch: CallWatch, answered_at_ns: int) -> int:
    """Show the timeline and the verdict. 0 when the behaviour was seen."""
    evidence = Evidence(
        told=told_of(watch.events, answered_at_ns=answered_at_ns),
        agent=sounds_of(caller.line.heard),
        remarks=tuple(caller.remarks),
        asked=tuple(caller.asked),
        booked=tuple(caller.booked),
    )
    print("\nWhat happened, in seconds since the answer:")
    print(*timeline(evidence), sep="\n")
    _show_latency(caller.asked, watch)
    _keep_recordings(settings, caller.line)
    verdict = VERDICTS[settings.scenario](evidence)
    print(f"\n{settings.scenario}: {'seen' if verdict.is_seen else 'NOT SEEN'}: {verdict.text}")
    return 0 if verdict.is_seen else 1


def _show_latency(asked: list[Asked], watch: CallWatch) -> None:
    print("\nHow long it took, in ms, from the caller's last sample to the agent's first:")
    print(*(f"  {text}" for text in latency_table(asked, watch.events)), sep="\n")


def _keep_recordings(settings: PhoneSettings, line: CallerLine) -> None:
    heard, both = settings.out / "heard.wav", settings.out / "both.wav"
    write_wav(heard, line.heard.samples())
    write_wav(both, line.said.samples(), line.heard.samples())
    print(f"\nRecorded: {heard} (what the caller heard), {both} (left: caller, right: agent)")


def _say(line: str) -> None:
    print(f"* {line}", flush=True)


def main() -> int:
    """Exit status: 0 every question was answered, or the scenario was seen; 1 not; 2 a setting is wrong."""
    try:
        return asyncio.run(run(PhoneSettings()))
    except ValidationError as error:
        for fault in error.errors():
            print(
                _complaint(fault["loc"], fault["input"], fault["msg"].removeprefix("Value error, ")),
                file=sys.stderr,
            )
        return 2
    except (CallFailed, UnusableWav) as error:
        print(error, file=sys.stderr)
        return 1
    except BaseExceptionGroup as group:
        failure = _first(group)
        if not isinstance(failure, CallFailed):
            raise
        print(failure, file=sys.stderr)
        return 1


def _complaint(where: tuple[int | str, ...], value: object, message: str) -> str:
    return f"{str(where[0]).upper()}={value!r}: {message}" if where else message


def _first(failure: BaseException) -> BaseException:
    """The failure inside the task groups."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


if __name__ == "__main__":
    sys.exit(main())
