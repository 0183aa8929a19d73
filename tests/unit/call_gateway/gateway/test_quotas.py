"""Quotas: the calls that a tenant and a caller may have at once."""

import pytest

from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.quotas import CallerQuota, Quotas, TenantQuota, read_quotas

NUMBER = "+84 90 123 45 67"


def call(tenant_id: str = "clinic", caller: str = "") -> IncomingCall:
    return IncomingCall(call_id="c", edge="program", tenant_id=tenant_id, caller=caller)


def test_a_tenant_has_its_own_quota_and_others_have_theirs() -> None:
    quotas = Quotas(read_quotas("clinic=2, *=1"))
    quotas.check(call(), [call()])
    with pytest.raises(TenantQuota):
        quotas.check(call(), [call(), call()])
    quotas.check(call("bank"), [call(), call(), call("shop")])
    with pytest.raises(TenantQuota):
        quotas.check(call("bank"), [call("bank")])


def test_without_quotas_no_call_is_refused() -> None:
    Quotas({}).check(call(caller=NUMBER), [call(caller=NUMBER)] * 100)


@pytest.mark.parametrize("written", ["+84901234567", "+84 90 1234567", "+84-90-123-45-67"])
def test_a_number_is_one_however_it_is_written(written: str) -> None:
    with pytest.raises(CallerQuota):
        Quotas({}, 1).check(call(caller=written), [call(caller=NUMBER)])


def test_calls_of_one_tenant_use_up_no_quota_of_a_caller_of_another() -> None:
    Quotas({}, 1).check(call("bank", NUMBER), [call("clinic", NUMBER), call("", NUMBER)])
    with pytest.raises(CallerQuota):
        Quotas({}, 1).check(call("bank", NUMBER), [call("clinic", NUMBER), call("bank", NUMBER)])


def test_callers_without_a_number_are_not_taken_for_one() -> None:
    Quotas({}, 1).check(call(), [call(), call()])
    Quotas({}, 1).check(call(caller="+84901234568"), [call(caller=NUMBER)])
    for withheld in ("anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "unavailable"):
        Quotas({}, 1).check(call(caller=withheld), [call(caller=withheld)] * 3)


@pytest.mark.parametrize("text", ["clinic", "clinic=many", "=", "clinic=-1"])
def test_a_quota_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quota"):
        read_quotas(text)
