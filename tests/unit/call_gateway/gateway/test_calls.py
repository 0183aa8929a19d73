"""The table of calls: pages, tenants, and calls that are not there."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.call_gateway.calls import BadPageToken, CallNotFound, CallTable
from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.session import Session
from services.runtime.errors import RequestError


def session(call_id: str, tenant_id: str = "acme") -> Session:
    return cast(Session, SimpleNamespace(call=IncomingCall(call_id, "program", tenant_id=tenant_id)))


def table(n_calls: int) -> CallTable:
    calls = CallTable()
    for number in range(n_calls):
        calls.add(session(f"call-{number}"))
    return calls


def everyone(_tenant_id: str) -> bool:
    return True


def ids(page: list[Any]) -> list[str]:
    return [call.call_id for call in page]


def test_pages_follow_one_another_oldest_first():
    calls = table(5)
    first, token = calls.page(size=2, token="", may_see=everyone)
    second, token = calls.page(size=2, token=token, may_see=everyone)
    third, last_token = calls.page(size=2, token=token, may_see=everyone)
    assert [ids(first), ids(second), ids(third)] == [["call-0", "call-1"], ["call-2", "call-3"], ["call-4"]]
    assert last_token == ""


def test_a_call_that_ends_between_two_pages_hides_no_other():
    calls = table(4)
    first, token = calls.page(size=2, token="", may_see=everyone)
    calls.remove(first[1])
    second, _ = calls.page(size=2, token=token, may_see=everyone)
    assert ids(second) == ["call-2", "call-3"]


def test_only_the_callers_own_tenants_are_listed():
    calls = table(1)
    calls.add(session("other", tenant_id="globex"))
    page, _ = calls.page(size=0, token="", may_see=lambda tenant_id: tenant_id == "globex")
    assert ids(page) == ["other"]


@pytest.mark.parametrize(("size", "token", "error"), [(-1, "", RequestError), (0, "x", BadPageToken)])
def test_a_bad_page_is_refused(size: int, token: str, error: type[RequestError]):
    with pytest.raises(error) as refused:
        table(1).page(size=size, token=token, may_see=everyone)
    assert refused.value.field in ("page_size", "page_token")


def test_a_call_that_is_not_up_is_not_found():
    with pytest.raises(CallNotFound):
        table(0).get("gone")


async def test_the_table_tells_when_it_is_empty():
    calls = CallTable()
    await calls.emptied()
    call = calls.add(session("a"))
    calls.remove(call)
    await calls.emptied()
