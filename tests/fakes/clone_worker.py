"""Fake of services.tts.clone.worker, without a network: each voice is a tone, a line has ten pieces.

`python -m tests.fakes.clone_worker [LIKENESS]`. A text with "crash" in it ends the process in its third piece, one with
"fail" fails there.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from services.tts.espeak.worker import read_frame, write_frame

RATE_HERTZ = 24000
N_PIECES = 10
PIECE_S = 0.2


def main() -> None:
    """Serve until stdin ends."""
    likeness = float(sys.argv[1]) if len(sys.argv) > 1 else 0.9
    lines: dict[str, tuple[str, int]] = {}
    n_made = 0
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        request, reply, sound = frame[0], {}, b""
        for line in request.get("shut", ()):
            lines.pop(line, None)
        if request["do"] == "load":
            reply = {"languages": ["en", "zh-cn"], "sample_rate_hertz": RATE_HERTZ, "model": "fake-xtts"}
        elif request["do"] == "learn":
            missing = [file for file in request["files"] if not Path(file).is_file()]
            reply = {"error": f"missing {missing}"} if missing else {"likeness": likeness}
        elif request["do"] == "open":
            lines[request["line"]] = (request["text"], 0)
        elif request["do"] == "next":
            text, number = lines.get(request["line"], ("", N_PIECES))
            if number == 2 and "crash" in text:
                os._exit(9)
            if number == 2 and "fail" in text:
                reply = {"error": "RuntimeError: it was told to"}
            elif number == N_PIECES:
                lines.pop(request["line"], None)
                reply = {"is_last": True}
            else:
                lines[request["line"]] = (text, number + 1)
                n_made += 1
                times = np.arange(int(PIECE_S * RATE_HERTZ)) / RATE_HERTZ
                sound = np.rint(6000 * np.sin(2 * np.pi * 440 * times)).astype("<i2").tobytes()
                reply = {"is_last": False}
        elif request["do"] == "count":
            reply = {"made": n_made, "open": len(lines)}
        write_frame(sys.stdout.buffer, json.loads(json.dumps(reply)), sound)


if __name__ == "__main__":
    main()
