"""The health check of a container: `python -I deploy/healthcheck.py tts`; exit status 0 while its engine answers.

It asks for the page /serving at the service's metrics port, which says that the engine is loaded, works, and takes new
streams. It imports next to nothing, since it runs every few seconds; `deploy.probe`, which reads all settings and also
asks over gRPC, takes its place where the service has no metrics port.
"""

import os
import socket
import sys

DEFAULTS = {"call_gateway": ("GATEWAY", 9101), "stt_proxy": ("STT", 9102), "nlu": ("NLU", 9103), "tts": ("TTS", 9104)}
"""The prefix of each service's settings, and its metrics port where none is set."""
_LIMIT_S = 2.0


def address_of(name: str, environment: dict[str, str]) -> tuple[str, int]:
    """Host and port of the metrics of the service `name`; port 0: it has none."""
    prefix, port = DEFAULTS[name]
    host = environment.get(f"{prefix}_METRICS_HOST") or environment.get("TONG_DAI_METRICS_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what the service was told, not bound here
    return host, int(environment.get(f"{prefix}_METRICS_PORT") or port)


def fault_of(host: str, port: int) -> str:
    """Return what the page says is wrong, in one line; empty: nothing."""
    try:
        with socket.create_connection((host, port), timeout=_LIMIT_S) as connection:
            connection.sendall(b"GET /serving HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
    except OSError as error:
        return f"no answer from {host}:{port}: {error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] == [b"200"]:
        return ""
    return body.decode(errors="replace").strip().replace("\n", "; ") or "the answer is not HTTP"


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in DEFAULTS:
        print(f"usage: healthcheck.py {'|'.join(DEFAULTS)}", file=sys.stderr)
        return 2
    host, port = address_of(sys.argv[1], dict(os.environ))
    if not port:
        os.execvp("python", ["python", "-m", "deploy.probe", sys.argv[1]])  # noqa: S606, S607
    fault = fault_of(host, port)
    print(fault or f"{sys.argv[1]} serves at {host}:{port}")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
