"""The health check of the container `asterisk`: exit status 0 while ARI and SIP answer, with a line that says so.

It takes the password of the private Asterisk's own account from the file PBX_ARI_PASSWORD_FILE, where one is named,
and its ports from PBX_ARI_PORT and PBX_SIP_PORT. It imports no package, since it runs every few seconds.
"""

import base64
import os
import socket
import sys
from pathlib import Path

_LIMIT_S = 2.0
_USER, _PASSWORD = "tong-dai", "tong-dai"  # of the private Asterisk, on loopback


def ari_fault(port: int, password_file: str = "") -> str:
    """Return why ARI does not answer with 200, in one line; empty: it does."""
    password = _PASSWORD
    try:
        if password_file:
            password = Path(password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        return f"the password in {password_file} cannot be read: {error.strerror}"
    token = base64.b64encode(f"{_USER}:{password}".encode())
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_S) as connection:
            connection.sendall(
                b"GET /ari/asterisk/info HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic "
                + token
                + b"\r\nConnection: close\r\n\r\n"
            )
            status = connection.recv(64).split(b"\r\n", 1)[0].decode(errors="replace")
    except OSError as error:
        return f"ARI does not answer at 127.0.0.1:{port}: {error}"
    return "" if " 200 " in status else f"ARI answers with {status!r}"


def sip_fault(port: int) -> str:
    """Return why an OPTIONS request over UDP has no answer, in one line; empty: it has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(_LIMIT_S)
        line.bind(("127.0.0.1", 0))
        own = f"127.0.0.1:{line.getsockname()[1]}"
        request = (
            f"OPTIONS sip:1000@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{os.getpid()}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:health@{own}>;tag=1\r\nTo: <sip:1000@127.0.0.1:{port}>\r\n"
            f"Call-ID: {os.getpid()}@{own}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:health@{own}>\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        line.sendto(request.encode(), ("127.0.0.1", port))
        try:
            answer = line.recv(2048)
        except OSError as error:
            return f"SIP does not answer at 127.0.0.1:{port}: {error}"
    return "" if answer.startswith(b"SIP/2.0 ") else f"SIP answers with {answer[:40]!r}"


def main() -> int:
    ari, sip = (
        int(os.environ.get(name) or default) for name, default in (("PBX_ARI_PORT", 8088), ("PBX_SIP_PORT", 15060))
    )
    faults = [fault for fault in (ari_fault(ari, os.environ.get("PBX_ARI_PASSWORD_FILE", "")), sip_fault(sip)) if fault]
    print("; ".join(faults) or f"ARI answers at {ari}, SIP at {sip}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
