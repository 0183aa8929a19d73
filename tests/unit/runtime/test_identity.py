"""Who may call for whom."""

from pathlib import Path
from typing import Any

import pytest

from services.runtime.errors import PermissionDeniedError, StartupError, UnauthenticatedError
from services.runtime.identity import (
    Identity,
    Tokens,
    caller_may_act_for,
    check_tenant,
    read_tokens,
    set_caller,
)

TOKEN = "0123456789abcdef-clinic"  # noqa: S105 - a test's own
FILE = """
[[tokens]]
name = "clinic"
token = "0123456789abcdef-clinic"
tenants = ["clinic", "clinic-test"]

[[tokens]]
token = "0123456789abcdef-operator"
tenants = ["*"]
"""


class Context:
    """As much of a call's context as the check looks at."""

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5"


CONTEXT: Any = Context()


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    path = tmp_path / "tokens.toml"
    path.write_text(FILE)
    return read_tokens(path)


def test_a_token_stands_for_its_tenants(tokens: Tokens) -> None:
    clinic = tokens.identify(f"Bearer {TOKEN}")
    assert clinic.name == "clinic"
    assert [clinic.may_act_for(tenant) for tenant in ("clinic", "clinic-test", "bank", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_star_stands_for_every_tenant(tokens: Tokens) -> None:
    assert tokens.identify("bearer 0123456789abcdef-operator").may_act_for("bank")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_anything_else_is_refused_without_repeating_it(tokens: Tokens, header: str) -> None:
    with pytest.raises(UnauthenticatedError) as raised:
        tokens.identify(header)
    assert TOKEN not in raised.value.message


def test_a_caller_is_held_to_its_tenants() -> None:
    set_caller(Identity("clinic", frozenset({"clinic"})))
    check_tenant(CONTEXT, "clinic")
    with pytest.raises(PermissionDeniedError) as raised:
        check_tenant(CONTEXT, "bank")
    assert raised.value.field == "config.tenant_id"


def test_where_tokens_are_off_every_tenant_may_be_named() -> None:
    set_caller(None)
    assert caller_may_act_for("bank")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no [[tokens]] table"),
        ("tokens = 3", "no [[tokens]] table"),
        ("tokens = [", "auth_tokens_file"),
        ('[[tokens]]\ntoken = "short"\ntenants = ["a"]', "at least 16 characters"),
        (f'[[tokens]]\ntoken = "{TOKEN}"', "list of tenant ids"),
        (f'[[tokens]]\ntoken = "{TOKEN}"\ntenants = []', "list of tenant ids"),
    ],
)
def test_a_wrong_file_is_one_line_without_secrets(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(content)
    with pytest.raises(StartupError) as raised:
        read_tokens(path)
    assert complaint in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"nowhere\.toml"):
        read_tokens(tmp_path / "nowhere.toml")


def test_no_token_is_kept_in_clear(tokens: Tokens) -> None:
    assert TOKEN.encode() not in repr(vars(tokens)).encode()
