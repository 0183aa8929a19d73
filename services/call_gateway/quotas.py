"""Quotas: how many calls at once a tenant, and one caller's number, may have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.call_gateway.edges.edge import IncomingCall
from services.language.destinations import normalised, region_of
from services.runtime.errors import CapacityError

ANY_TENANT: Final = "*"


class TenantQuota(CapacityError):
    """The tenant has as many calls as it may."""

    reason = "TENANT_QUOTA"


class CallerQuota(CapacityError):
    """The number has as many calls as one may."""

    reason = "CALLER_QUOTA"


@dataclass(frozen=True, slots=True)
class Quotas:
    """The bounds; what is not there, or 0, is none."""

    of_tenants: Mapping[str, int]  # by tenant; "*" is each of the others
    of_a_caller: int = 0

    def check(self, call: IncomingCall, up: Iterable[IncomingCall]) -> None:
        """Raise CapacityError when one more call exceeds a quota. Only calls of the same tenant count: a tenant names
        its callers itself, and could otherwise have calls of another tenant refused. Callers without a number are not
        counted together.
        """
        calls = [other for other in up if other.tenant_id == call.tenant_id]
        most = self.of_tenants.get(call.tenant_id, self.of_tenants.get(ANY_TENANT, 0))
        if most and len(calls) >= most:
            raise TenantQuota(f"the tenant has {most} calls up, which is its quota: try again when one has ended")
        number = _number(call)
        if self.of_a_caller and number and sum(_number(other) == number for other in calls) >= self.of_a_caller:
            raise CallerQuota(
                f"this number has {self.of_a_caller} calls up, which is the quota: try again when one has ended"
            )


def _number(call: IncomingCall) -> str:
    """The caller's number, one way however it is written; empty where none is shown: what stands in the place of a
    withheld one ("anonymous" in RFC 3323) has no digit in it.
    """
    if not any(char.isdecimal() for char in call.caller):
        return ""
    language_code = call.language_codes[0] if call.language_codes else ""
    return normalised(call.caller, region_of(call.caller, language_code)).casefold()


def read_quotas(text: str) -> dict[str, int]:
    """Quotas of tenants as in "clinic=20,*=50". Raises ValueError."""
    quotas = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        tenant_id, separator, number = part.rpartition("=")
        if not separator or not number.strip().isdigit():
            raise ValueError(f"{part!r} is no quota: write tenant=calls, as in clinic=20,*=50")
        quotas[tenant_id.strip()] = int(number)
    return quotas
