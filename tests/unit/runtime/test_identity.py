"""Identity: which token may call for which tenant."""

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.runtime import credentials
from services.runtime.credentials import TokenFile, WatchedFiles
from services.runtime.errors import PermissionDeniedError, StartupError, UnauthenticatedError
from services.runtime.identity import (
    Identity,
    Scope,
    ScopeMissing,
    TokenExpired,
    Tokens,
    caller_may_act_for,
    caller_name,
    check_scope,
    check_tenant,
    read_tokens,
    set_caller,
)

TOKEN = "0123456789abcdef-clinic"  # noqa: S105 - a test's own
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
OLD = "0123456789abcdef-old"
REST = 'scopes = ["watch"]\nexpires = 2999-01-01'
FILE = f"""
[[tokens]]
name = "clinic"
sha256 = "{HASH}"
tenants = ["clinic", "clinic-test"]
scopes = ["watch", "end"]
expires = 2999-01-01T00:00:00Z

[[tokens]]
name = "old"
sha256 = "{hashlib.sha256(OLD.encode()).hexdigest()}"
tenants = ["*"]
scopes = ["connect"]
expires = 2020-06-30
"""


class Context:
    """The part of a call's context that the check looks at."""

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
    assert tokens.identify(f"bearer {OLD}", now=0).may_act_for("bank")


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


def test_a_token_is_good_to_its_last_moment_and_no_longer(tokens: Tokens) -> None:
    end_of_june = datetime(2020, 7, 1, tzinfo=UTC).timestamp()
    assert tokens.identify(f"Bearer {OLD}", now=end_of_june - 1).name == "old"
    with pytest.raises(TokenExpired):
        tokens.identify(f"Bearer {OLD}", now=end_of_june)
    with pytest.raises(TokenExpired):
        tokens.identify(f"Bearer {OLD}")


def test_a_token_is_for_its_scopes(tokens: Tokens) -> None:
    set_caller(tokens.identify(f"Bearer {TOKEN}"))
    check_scope(Scope.WATCH)
    check_scope(Scope.END)
    check_scope(None)
    with pytest.raises(ScopeMissing):
        check_scope(Scope.CONNECT)


def test_where_tokens_are_off_every_scope_is_there() -> None:
    set_caller(None)
    for scope in Scope:
        check_scope(scope)


def test_who_calls_is_known_by_token_or_certificate() -> None:
    set_caller(Identity("clinic", frozenset({"clinic"})))
    assert caller_name() == "clinic"
    set_caller(None, certificate_name="gateway")
    assert caller_name() == "gateway"
    set_caller(None)
    assert caller_name() == "anybody"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no [[tokens]] table"),
        ("tokens = 3", "no [[tokens]] table"),
        ("tokens = [", "auth_tokens_file"),
        (f'[[tokens]]\nname = "a"\ntoken = "{TOKEN}"\ntenants = ["a"]\n{REST}', "in clear"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{TOKEN}"\ntenants = ["a"]\n{REST}', "64 hexadecimal digits"),
        (f'[[tokens]]\nsha256 = "{HASH}"\ntenants = ["a"]\n{REST}', "`name`"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\n{REST}', "list of tenant ids"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\ntenants = []\n{REST}', "list of tenant ids"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\ntenants = ["a"]\nexpires = 2999-01-01', "`scopes`"),
        (
            f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\ntenants = ["a"]\nscopes = ["all"]\nexpires = 2999-01-01',
            "`scopes`",
        ),
        (f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\ntenants = ["a"]\nscopes = ["watch"]', "`expires`"),
        (2 * f'[[tokens]]\nname = "a"\nsha256 = "{HASH}"\ntenants = ["a"]\n{REST}\n', "the same `name`"),
    ],
)
def test_a_wrong_file_is_one_line_without_secrets(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(content)
    with pytest.raises(StartupError) as raised:
        read_tokens(path)
    assert complaint in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert HASH not in str(raised.value)


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(FILE)
    file = TokenFile(path)
    path.write_text(FILE.replace('"clinic"\nsha', '"surgery"\nsha'))
    file.look()
    assert file.current.identify(f"Bearer {TOKEN}").name == "surgery"
    path.write_text("tokens = [")
    file.look()
    assert file.current.identify(f"Bearer {TOKEN}").name == "surgery"


@pytest.mark.parametrize(
    "expires", ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59"]
)
def test_the_last_day_of_the_calendar_is_a_day(tmp_path: Path, expires: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(FILE.replace("2999-01-01T00:00:00Z", expires))
    assert read_tokens(path).identify(f"Bearer {TOKEN}").name == "clinic"


def test_a_file_that_nests_without_end_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text("tokens = " + 100_000 * "[")
    with pytest.raises(StartupError, match="nests too deeply"):
        read_tokens(path)


def test_an_unexpected_error_keeps_what_was_read_and_says_no_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text("a")

    def read() -> str:
        if (content := path.read_text()) == "a":
            return content
        raise OverflowError(content)

    files = WatchedFiles("thing", (path,), read)
    path.write_text("a secret")
    assert not files.look()
    assert files.current == "a"
    said = caplog.text + "".join(capsys.readouterr())
    assert "OverflowError" in said
    assert "secret" not in said


async def test_a_change_that_cannot_be_carried_out_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LOOK_EVERY_S", 0.01)
    path = tmp_path / "file"
    path.write_text("a")
    files = WatchedFiles("thing", (path,), path.read_text)
    seen: list[str] = []

    def change() -> None:
        seen.append(files.current)
        raise ValueError("no channel")

    watching = asyncio.create_task(files.watch(change))
    for content in ("two", "three"):
        path.write_text(content)
        async with asyncio.timeout(5):
            while content not in seen and not watching.done():
                await asyncio.sleep(0.01)
    assert not watching.done()
    watching.cancel()


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"nowhere\.toml"):
        read_tokens(tmp_path / "nowhere.toml")


def test_no_token_is_kept_in_clear(tokens: Tokens) -> None:
    assert TOKEN.encode() not in repr(vars(tokens)).encode()
