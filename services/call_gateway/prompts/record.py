"""Make the recordings again from texts.toml, with a TTS service that is running.

python -m services.call_gateway.prompts.record [127.0.0.1:50054] [--missing]
"""

import asyncio
import sys

from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.recorded import path_of, texts
from services.call_gateway.stages.rendering import NotRendered, render
from services.runtime.channels import open_channel


async def record(target: str, *, only_missing: bool) -> None:
    """Write every recording, or those that are not there yet. Raises NotRendered."""
    channel = open_channel(target)
    try:
        for (kind, language_code), text in texts().items():
            path = path_of(kind, language_code)
            if only_missing and path.exists():
                continue
            content = await render(TtsServiceStub(channel), text, language_code, AgentProfile())
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            print(f"{path.parent.name}/{path.name}: {len(content) / 8000:.1f} s")
    finally:
        await channel.close()


if __name__ == "__main__":
    try:
        targets = [argument for argument in sys.argv[1:] if argument != "--missing"]
        asyncio.run(record(targets[0] if targets else "127.0.0.1:50054", only_missing="--missing" in sys.argv))
    except NotRendered as failed:
        sys.exit(f"the TTS service would not speak: {failed.reason}; is it running? try `make run-stack`")
