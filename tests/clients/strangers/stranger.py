"""A program of another team's; main.go beside it says what it does."""

import asyncio
import sys

from clients.python import Call, Connection, GivenUpError, Options, ServerError, Speech, UnavailableError

NAMES = {GivenUpError: "given up", UnavailableError: "unavailable", ServerError: "server"}


async def main(what: str, target: str) -> str:
    async with Connection(Options((target,))) as connection:
        if what == "report":
            call = await Call.open(connection)
            call.reports_played = True
            await call.half_close()
            async for _ in call:
                continue
            return f"heard {len(call.heard) // 2}"
        speech = await Speech.open(connection)
        if what == "idle":
            print("open", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        async for _ in speech.say("Hello."):
            if what == "cancel":
                speech.cancel()
        return "said"


try:
    print(asyncio.run(main(*sys.argv[1:])))
except (GivenUpError, UnavailableError, ServerError) as error:
    print(NAMES[type(error)])
