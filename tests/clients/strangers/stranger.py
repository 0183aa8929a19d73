"""A program of another team's; main.go beside it says what it does."""

import asyncio
import sys

from clients.python import (
    Call,
    Connection,
    Conversation,
    GivenUpError,
    Options,
    ServerError,
    Speech,
    UnavailableError,
)

NAMES = {GivenUpError: "given up", UnavailableError: "unavailable", ServerError: "server"}


async def main(what: str, target: str) -> str:
    async with Connection(Options((target,))) as connection:
        if what == "hurry":
            return await hurry(connection)
        if what == "leave":
            talk = await Conversation.open(connection)
            async for _ in talk.say("One."):
                break
            async for _ in talk.say("Two."):
                continue
            await talk.close()
            return "left"
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


async def hurry(connection: Connection) -> str:
    for _ in range(100):
        call = await Call.open(connection)
        is_over = asyncio.Event()

        async def send(call: Call = call, is_over: asyncio.Event = is_over) -> None:
            while not is_over.is_set():
                await call.hang_up()
                await asyncio.sleep(0)

        sending = asyncio.create_task(send())
        await asyncio.sleep(0.005)
        call.cancel()
        await call.half_close()
        is_over.set()
        await sending
    return "given up"


try:
    print(asyncio.run(main(*sys.argv[1:])))
except (GivenUpError, UnavailableError, ServerError) as error:
    print(NAMES[type(error)])
