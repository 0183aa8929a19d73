"""Sources of a setting, and the errors of a wrong one."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from services.runtime.settings import ServiceSettings, read_settings, service_config


class DemoSettings(ServiceSettings):
    model_config = service_config("DEMO")

    port: int = Field(50099, ge=0, le=65535, description="TCP port of the gRPC server.")
    voice: str = Field("joe", description="The voice.")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_are_on_loopback() -> None:
    assert DemoSettings().host == "127.0.0.1"


def test_a_service_overrides_a_shared_default() -> None:
    assert DemoSettings().port == 50099


def test_the_shared_prefix_reaches_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONG_DAI_DRAIN_S", "3")
    assert DemoSettings().drain_s == 3.0


def test_the_service_prefix_wins_over_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONG_DAI_DRAIN_S", "3")
    monkeypatch.setenv("DEMO_DRAIN_S", "4")
    assert DemoSettings().drain_s == 4.0


def test_the_dotenv_file_is_read_with_both_prefixes(empty_folder: Path) -> None:
    (empty_folder / ".env").write_text("TONG_DAI_DRAIN_S=5\nDEMO_VOICE=anna\n")
    assert (DemoSettings().drain_s, DemoSettings().voice) == (5.0, "anna")


def test_the_environment_wins_over_the_dotenv_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / ".env").write_text("DEMO_VOICE=anna\n")
    monkeypatch.setenv("TONG_DAI_VOICE", "bob")
    assert DemoSettings().voice == "bob"


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_VOICE", "")
    assert DemoSettings().voice == "joe"


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        DemoSettings().port = 1  # type: ignore[misc]


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, empty_folder: Path) -> None:
    monkeypatch.setenv("HOME", str(empty_folder))
    assert DemoSettings().models_dir == empty_folder / ".cache/tong-dai/models"


def test_every_wrong_variable_has_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DEMO_PORT", "telephone")
    monkeypatch.setenv("TONG_DAI_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as exit_:
        read_settings(DemoSettings)
    lines = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2
    assert [line.split(":")[0] for line in lines] == ["DEMO_PORT='telephone'", "TONG_DAI_LOG_LEVEL='loud'"]
    assert "TCP port of the gRPC server." in lines[0]


def test_a_certificate_needs_its_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DEMO_TLS_CERTIFICATE_FILE", "server.pem")
    with pytest.raises(SystemExit):
        read_settings(DemoSettings)
    assert "tls_certificate_file and tls_key_file go together" in capsys.readouterr().err


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
