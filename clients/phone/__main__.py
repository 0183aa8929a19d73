"""Call the running stack and show what was said, heard, and how long each part took: `make call`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from pydantic import ValidationError

from clients.phone.caller import Asked, Question, converse
from clients.phone.line import CallerLine
from clients.phone.program_line import ProgramLine
from clients.phone.recording import UnusableWav, read_wav, write_wav
from clients.phone.report import has_gone_well, latency_table, transcript
from clients.phone.settings import PhoneSettings
from clients.phone.watch import CallWatch, GatewayAway


class CallFailed(Exception):
    """The call could not be placed; the message says what to do."""


async def run(settings: PhoneSettings) -> int:
    """Place the call and report. 0 when every question was answered. Raises CallFailed, UnusableWav."""
    questions = [Question(file, read_wav(file)) for file in settings.files]
    async with grpc.aio.insecure_channel(settings.gateway) as channel:
        try:
            async with CallWatch(channel) as watch, _line(settings, channel) as line:
                asked = await converse(line, questions, _say)
                if not await watch.wait_ended():
                    _say("the gateway did not tell how the call ended")
        except GatewayAway as error:
            raise CallFailed(
                f"no gateway answers at {settings.gateway} ({error}): start it with `make run-stack`, "
                "or set PHONE_GATEWAY"
            ) from error
    _report(settings, line, asked, watch)
    return 0 if len(asked) == len(questions) and has_gone_well(asked, watch.events) else 1


@asynccontextmanager
async def _line(settings: PhoneSettings, channel: grpc.aio.Channel) -> AsyncIterator[CallerLine]:
    """The call, answered."""
    if settings.edge == "grpc":
        _say(f"calling the gateway at {settings.gateway} over gRPC")
        async with ProgramLine(channel) as line:
            yield line
        return
    from clients.phone.sip_phone import PhoneFailed, SipPhones  # noqa: PLC0415  a SIP stack nobody else needs

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


def _report(settings: PhoneSettings, line: CallerLine, asked: list[Asked], watch: CallWatch) -> None:
    heard, both = settings.out / "heard.wav", settings.out / "both.wav"
    write_wav(heard, line.heard.samples())
    write_wav(both, line.said.samples(), line.heard.samples())
    print("\nWhat was said and heard, as the gateway has it:")
    print(*(f"  {text}" for text in transcript(watch.events)), sep="\n")
    print("\nHow long it took, in ms, from the caller's last sample to the agent's first:")
    print(*(f"  {text}" for text in latency_table(asked, watch.events)), sep="\n")
    print(f"\nRecorded: {heard} (what the caller heard), {both} (left: caller, right: agent)")


def _say(line: str) -> None:
    print(f"* {line}", flush=True)


def main() -> int:
    """Exit status: 0 every question was answered, 1 not, 2 a setting is wrong."""
    try:
        return asyncio.run(run(PhoneSettings()))
    except ValidationError as error:
        for fault in error.errors():
            print(
                f"{str(fault['loc'][0]).upper()}={fault['input']!r}: {fault['msg'].removeprefix('Value error, ')}",
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


def _first(failure: BaseException) -> BaseException:
    """The failure inside the task groups."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


if __name__ == "__main__":
    sys.exit(main())
