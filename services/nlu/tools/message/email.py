"""One e-mail by SMTP (RFC 5321), sent once."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

import aiosmtplib

from services.nlu.tools.rest.failures import (
    BrokenOff,
    CallFailed,
    CredentialsRefused,
    Refused,
    ServerFailed,
    TooBusy,
    TooSlow,
    Unreachable,
)

Encryption = Literal["starttls", "tls", "none"]


def compose(*, sender: str, recipient: str, subject: str, text: str, key: str) -> EmailMessage:
    """A message whose Message-ID is made of the key. Raises ValueError for an address or a subject that is none."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{key}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers it
    message.set_content(text)
    return message


async def send(
    message: EmailMessage,
    *,
    host: str,
    port: int,
    username: str,
    password: str,
    encryption: Encryption,
    limit_s: float,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Hand it to the server. Raises CallFailed."""
    who = f"the mail server {host}"
    try:
        await aiosmtplib.send(
            message,
            hostname=host,
            port=port,
            username=username or None,
            password=password or None,
            use_tls=encryption == "tls",
            start_tls=encryption == "starttls",
            timeout=limit_s,
            tls_context=tls,
        )
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise _failure(error, who, limit_s) from error


def _failure(error: Exception, who: str, limit_s: float) -> CallFailed:
    """Before the message's text was sent nothing is done, whatever happened; behind it that is not known."""
    failure: CallFailed
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            failure = CredentialsRefused(f"{who} refuses the credentials: the operator has to renew them")
        case aiosmtplib.SMTPConnectTimeoutError() | aiosmtplib.SMTPConnectError():
            failure = Unreachable(f"no connection to {who} came about")
        case aiosmtplib.SMTPRecipientsRefused(recipients=recipients) if recipients:
            failure = _status(recipients[0].code, recipients[0].message, who)
        case aiosmtplib.SMTPResponseException(code=code, message=message):
            failure = _status(code, message, who)
        case aiosmtplib.SMTPNotSupported():
            failure = Refused(f"{who} cannot do what is asked: {error}")
        case aiosmtplib.SMTPTimeoutError() | TimeoutError():
            failure = TooSlow(f"{who} gave no answer within {limit_s:g} s")
        case aiosmtplib.SMTPServerDisconnected():
            failure = BrokenOff(f"the connection to {who} broke")
        case _:
            failure = ServerFailed(f"{who}: {type(error).__name__}")
    return failure


def _status(code: int, message: str, who: str) -> CallFailed:
    """RFC 5321, 4.2.1: 4yz may be tried again, 5yz not; with either the message was not taken."""
    text = f"{who} answered {code}: {' '.join(str(message).split())[:200]}"
    if code == 535:
        return CredentialsRefused(f"{text}: the operator has to renew the credentials")
    return TooBusy(f"{text}: try again later", status=code) if 400 <= code < 500 else Refused(text, status=code)
