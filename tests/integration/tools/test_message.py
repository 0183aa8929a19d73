"""The package message: e-mail against aiosmtpd, SMS against a server with Twilio's REST shapes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from services.nlu.agent.tools import ToolRefused
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import BUSY, CUT_JSON, DOWN, Reply, RestServer, Seen, serving
from tests.integration.waiting import throughout

PACKAGE: dict[str, Any] = {"package": "message", "options": {"timeout_s": 3}}
MAIL = {"to": "anna@example.com", "subject": "Phòng của chị", "text": "Chào chị Anna,\nhẹn gặp chị."}


class Mailbox:
    """Takes what it is sent, or answers as it is told."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answer, self.delay_s = "250 OK", 0.0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.delay_s)
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
        return self.answer


@asynccontextmanager
async def mail_server(box: Mailbox) -> AsyncIterator[dict[str, str]]:
    def knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and data.password == b"pw"
        return AuthResult(success=is_right, handled=is_right)

    def made() -> SMTP:
        return SMTP(box, authenticator=knows, auth_require_tls=False, auth_required=True)

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    try:
        yield {
            "smtp_host": "127.0.0.1",
            "smtp_port": str(server.sockets[0].getsockname()[1]),
            "smtp_username": "agent",
            "smtp_password": "pw",
            "smtp_encryption": "none",
            "smtp_from": "Hotel <desk@hotel.example>",
        }
    finally:
        server.close()


async def test_an_email_is_taken_once_for_each_key(tmp_path: Path) -> None:
    box = Mailbox()
    async with mail_server(box) as secrets, opened(tmp_path, PACKAGE, secrets) as tools:
        for _ in range(2):
            assert (await run(tools, "message_email", **MAIL))["result"] == {"sent": "email"}
    (taken,) = box.taken
    assert taken["Subject"] == "Phòng của chị"
    assert taken["Message-ID"] == f"<{KEY}@hotel.example>"
    assert "hẹn gặp chị" in taken.get_content()


async def test_a_mailbox_that_is_not_there_and_a_wrong_password_are_told(tmp_path: Path) -> None:
    box = Mailbox()
    async with mail_server(box) as secrets:
        async with opened(tmp_path, PACKAGE, secrets) as tools:
            with pytest.raises(ToolRefused, match="no such mailbox"):
                await run(tools, "message_email", **{**MAIL, "to": "nobody@example.com"})
            with pytest.raises(ToolRefused, match="to: "):
                await run(tools, "message_email", key="b" * 32, **{**MAIL, "to": "a@b.c\r\nBcc: x@y.z"})
            with pytest.raises(ToolRefused, match="subject: "):
                await run(tools, "message_email", key="c" * 32, **{**MAIL, "subject": "a\nBcc: x@y.z"})
        async with opened(tmp_path / "2", PACKAGE, {**secrets, "smtp_password": "wrong"}) as tools:
            assert (await run(tools, "message_email", **MAIL))["status"] == "pending"  # once renewed it is sent
    assert box.taken == []


async def test_a_greylisted_email_is_sent_later_and_one_of_unknown_fate_is_not(tmp_path: Path) -> None:
    box = Mailbox()
    async with mail_server(box) as secrets:
        async with opened(tmp_path, PACKAGE, secrets) as tools:
            box.answer = "451 4.7.1 try again later"
            assert (await run(tools, "message_email", **MAIL))["status"] == "pending"
            box.answer = "250 OK"
            async with asyncio.timeout(10):
                while not box.taken:
                    await asyncio.sleep(0.05)
        slow = {**PACKAGE, "options": {"timeout_s": 0.4}}
        async with opened(tmp_path / "2", slow, secrets) as tools:
            box.delay_s = 1.0
            for _ in range(2):
                with pytest.raises(ToolRefused, match="not known"):
                    await run(tools, "message_email", key="d" * 32, **MAIL)
            await throughout(1.5, lambda: len(box.taken) <= 2, "an e-mail of unknown fate was sent again")


async def test_without_a_server_an_email_is_pending(tmp_path: Path) -> None:
    secrets = {"smtp_host": "127.0.0.1", "smtp_port": "9", "smtp_from": "a@b.example", "smtp_encryption": "none"}
    async with opened(tmp_path, PACKAGE, secrets) as tools:
        assert (await run(tools, "message_email", **MAIL))["status"] == "pending"


async def test_only_allowed_addresses_are_written_to(tmp_path: Path) -> None:
    package = {"package": "message", "options": {"email_to": ["@hotel.example"], "sms_to": ["+849"]}}
    async with opened(tmp_path, package, {"smtp_host": "127.0.0.1", "smtp_from": "a@b.example"}) as tools:
        for name, to in (("message_email", "anna@evil.example"), ("message_sms", "+84812345678")):
            with pytest.raises(ToolRefused, match="does not allow"):
                await run(tools, name, to=to, text="Hello", **({"subject": "Hi"} if "email" in name else {}))


def twilio(seen: Seen) -> Reply:
    if seen.headers["Authorization"] != "Basic QUMxOnQ=":  # AC1:t
        return Reply({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
    if seen.form["To"] == "+84900000000":
        return Reply({"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}, status=400)
    return Reply({"sid": "SM1", "status": "queued", "to": seen.form["To"], "body": seen.form["Body"]}, status=201)


def account(server: RestServer, **others: str) -> dict[str, str]:
    given = {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_from": "+15005550006"}
    return {**given, "twilio_url": server.url, **others}


async def test_an_sms_is_what_twilios_page_shows(tmp_path: Path) -> None:
    async with serving(twilio) as server, opened(tmp_path, PACKAGE, account(server)) as tools:
        sent = await run(tools, "message_sms", to="0912 345 678", text="Phòng 12")
        assert sent["result"] == {"sent": "sms", "message_id": "SM1"}
        (seen,) = server.seen
        assert seen.path == "/2010-04-01/Accounts/AC1/Messages.json"
        assert seen.form == {"To": "+84912345678", "From": "+15005550006", "Body": "Phòng 12"}
        with pytest.raises(ToolRefused, match="Invalid 'To'"):
            await run(tools, "message_sms", key="b" * 32, to="+84900000000", text="x")
        with pytest.raises(ToolRefused, match="does not allow"):
            await run(tools, "message_sms", key="c" * 32, to="+447700900000", text="x")  # abroad costs
        assert len(server.seen) == 2


@pytest.mark.parametrize(("fault", "n_sent"), [(CUT_JSON, 1), (DOWN, 1), (BUSY, 2)])
async def test_an_sms_of_unknown_fate_is_not_sent_again(tmp_path: Path, fault: Reply, n_sent: int) -> None:
    async with serving(twilio) as server, opened(tmp_path, PACKAGE, account(server)) as tools:
        server.faults = [fault]
        for _ in range(2):
            if fault is BUSY:
                assert (await run(tools, "message_sms", to="0912345678", text="x"))["status"] == "done"
                continue
            with pytest.raises(ToolRefused, match="not known"):
                await run(tools, "message_sms", to="0912345678", text="x")
        assert len(server.seen) == n_sent
