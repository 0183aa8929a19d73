"""The package `message`: e-mail by an SMTP server, SMS by Twilio (https://www.twilio.com/docs/messaging/api).

Neither knows a message again that it has had: one of unknown fate is not sent a second time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import phonenumbers
from pydantic import Field, model_validator

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.arguments import ArgumentsModel, by_model, schema_of
from services.nlu.tools.crm.arguments import Phone
from services.nlu.tools.crm.phones import international
from services.nlu.tools.message.email import Encryption, compose, send
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext, Run
from services.nlu.tools.rest.client import Limits, RestClient
from services.nlu.tools.rest.credentials import basic
from services.nlu.tools.rest.failures import BadAnswer
from services.nlu.tools.rest.sites import Sites
from services.nlu.tools.secrets import SecretFields
from services.runtime.exposure import is_loopback

_TWILIO = "https://api.twilio.com"
_E164 = re.compile(r"\+[1-9]\d{4,14}")
_COSTLY = frozenset(
    {
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
        phonenumbers.PhoneNumberType.PAGER,
    }
)
_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}$"  # RFC 5322's atoms: one mailbox


class Email(ArgumentsModel):
    """Arguments of email."""

    to: str = Field(pattern=_ADDRESS)
    subject: str = Field(min_length=1, max_length=200, pattern=r"^[^\r\n]*$")
    text: str = Field(min_length=1, max_length=10000)


class Sms(ArgumentsModel):
    """Arguments of sms."""

    to: Phone
    text: str = Field(min_length=1, max_length=1600)


class MessagePackage:
    """Package that writes to the addresses in the agent's file alone: callers could name anybody."""

    class Options(NoOptions):
        """Of the agent's file."""

        channels: tuple[str, ...] = Field(("email", "sms"), min_length=1)
        email_to: tuple[str, ...] = Field((), description="Addresses, or domains as @example.com; empty: anybody.")
        sms_to: tuple[str, ...] = Field((), description="Beginnings of numbers, as +84; empty: the agent's region.")
        timeout_s: float = Field(8.0, gt=0, le=60)

        @model_validator(mode="after")
        def _channels_are_known(self) -> MessagePackage.Options:
            if unknown := [name for name in self.channels if name not in {"email", "sms"}]:
                raise ValueError(f"channels: {', '.join(unknown)}: there are email and sms")
            return self

    class Secrets(SecretFields):
        """Of the SMTP server and of Twilio; only those of the channels in use are needed."""

        smtp_host: str = ""
        smtp_port: int = Field(587, ge=1, le=65535)
        smtp_username: str = ""
        smtp_password: str = ""
        smtp_encryption: Encryption = "starttls"
        smtp_from: str = Field("", pattern=r"^(.*@[A-Za-z0-9.-]+>?)?$")
        twilio_account_sid: str = ""
        twilio_auth_token: str = ""
        twilio_from: str = ""  # a number, or a messaging service's id: MG...
        twilio_url: str = Field(_TWILIO, pattern=r"^https?://[^/\s]+$")

        def exposures(self) -> list[str]:
            found = super().exposures()
            if self.smtp_host and self.smtp_encryption == "none" and not is_loopback(self.smtp_host):
                found.append(f"smtp_encryption none: mails go to {self.smtp_host} unencrypted: use starttls or tls")
            return found

    def __init__(self, options: Options, context: PackageContext) -> None:
        self._options, self._context = options, context
        self._sites: Sites[MessagePackage.Secrets, RestClient] = Sites(context, self.Secrets, self._client)
        made = (
            self._made("email", "Sends an e-mail.", Email, self._email),
            self._made("sms", "Sends a text message to a mobile number.", Sms, self._sms),
        )
        self._operations = tuple(operation for operation in made if operation.name in options.channels)

    async def open(self) -> None:
        """Do nothing: each message connects."""

    async def close(self) -> None:
        await self._sites.close()

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _made(self, name: str, description: str, model: type[ArgumentsModel], run: Run) -> Operation:
        return Operation(
            name,
            description,
            schema_of(model),
            by_model(model),
            run,
            writes=True,
            is_repeatable=False,
            timeout_s=self._options.timeout_s + 1.0,
        )

    def _client(self, tenant_id: str, secrets: Secrets) -> RestClient:
        who = self._sites.who("Twilio", tenant_id)
        credentials = basic(secrets.twilio_account_sid, secrets.twilio_auth_token)
        return RestClient(who, credentials, limits=Limits(whole_s=self._options.timeout_s))

    async def _email(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        recipient = arguments["to"]
        allowed = self._options.email_to
        if allowed and not any(_is_at(recipient, each) for each in allowed):
            raise ToolRefused("to: the agent's file does not allow e-mail to this address")
        _, secrets = await self._sites.of(asked.tenant_id)
        if not secrets.smtp_host or not secrets.smtp_from:
            raise ToolRefused("there are no credentials for e-mail: smtp_host and smtp_from are missing")
        try:
            message = compose(
                sender=secrets.smtp_from,
                recipient=recipient,
                subject=arguments["subject"],
                text=arguments["text"],
                key=asked.key,
            )
        except ValueError as error:  # it will be none at the next try either
            raise ToolRefused("to, subject: no mail can be made of these") from error
        await send(
            message,
            host=secrets.smtp_host,
            port=secrets.smtp_port,
            username=secrets.smtp_username,
            password=secrets.smtp_password,
            encryption=secrets.smtp_encryption,
            limit_s=self._options.timeout_s,
        )
        return {"sent": "email"}

    async def _sms(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        number = international(arguments["to"], self._context.region)
        if not _E164.fullmatch(number):
            raise ToolRefused("to: needs its country code, as in +84912345678")
        if not self._may_reach(number):
            raise ToolRefused("to: the agent's file does not allow messages to this number")
        client, secrets = await self._sites.of(asked.tenant_id)
        if not secrets.twilio_account_sid or not secrets.twilio_from:
            raise ToolRefused("there are no credentials for SMS: twilio_account_sid and twilio_from are missing")
        sender = "MessagingServiceSid" if secrets.twilio_from.startswith("MG") else "From"
        url = f"{secrets.twilio_url}/2010-04-01/Accounts/{secrets.twilio_account_sid}/Messages.json"
        form = {"To": number, sender: secrets.twilio_from, "Body": arguments["text"]}
        answer = (await client.ask("POST", url, form=form)).object()
        if not answer.get("sid"):
            raise BadAnswer(f"{client.who} answered a message without its sid")
        return {"sent": "sms", "message_id": answer["sid"]}

    def _may_reach(self, number: str) -> bool:
        """Numbers abroad cost, and so do premium ones: without a list only plain ones of the agent's region are
        reached. A country's code is not enough for that: +1 and +7 are those of many.
        """
        if self._options.sms_to:
            return any(number.startswith(each) for each in self._options.sms_to)
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return False
        is_near = bool(self._context.region) and phonenumbers.region_code_for_number(parsed) == self._context.region
        return is_near and phonenumbers.number_type(parsed) not in _COSTLY


def _is_at(address: str, allowed: str) -> bool:
    lower = address.lower()
    return lower.endswith(allowed.lower()) if allowed.startswith("@") else lower == allowed.lower()
