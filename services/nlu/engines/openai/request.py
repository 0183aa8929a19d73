"""Request body of POST /chat/completions for a turn. Sans-IO."""

from __future__ import annotations

from typing import Any

from services.nlu.engine import ReplyRequest
from services.nlu.remote.messages import CONTINUE, write_messages, write_tool
from services.nlu.settings import NluSettings


def body_of(request: ReplyRequest, settings: NluSettings) -> dict[str, Any]:
    """Return the JSON of a streamed request."""
    messages = write_messages(request.messages)
    if request.begun:
        messages += [{"role": "assistant", "content": request.begun}, {"role": "user", "content": CONTINUE}]
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": settings.openai_model,
        "messages": messages,
        "stream": True,
        "temperature": settings.temperature if sampling.temperature is None else sampling.temperature,
        settings.openai_token_limit_field: settings.max_reply_tokens,
    }
    asked = {"top_p": sampling.top_p, "seed": sampling.seed}
    body |= {name: value for name, value in asked.items() if value is not None}
    if request.tools:
        body["tools"] = [write_tool(tool) for tool in request.tools]
    return body
