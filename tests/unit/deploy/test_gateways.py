"""The settings that follow from GATEWAY_PROCESSES, and the dialplan that divides the calls."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.gateways import GatewayProcesses, applications, gateway_processes
from deploy.stack import SERVICES, settings_of
from services.call_gateway.settings import GatewaySettings

_ASTERISK = Path(__file__).parents[3] / "deploy/asterisk"


@dataclass
class Gateway:
    port: int = 50051
    metrics_port: int = 9101


@dataclass
class Ari:
    app: str = "tong-dai"
    rtp_first_port: int = 0
    rtp_last_port: int = 0


def test_one_process_has_the_settings_as_they_stand():
    (only,) = gateway_processes(1, Gateway(), Ari())
    assert (only.port, only.metrics_port, only.app) == (50051, 9101, "tong-dai")
    assert (only.rtp_first_port, only.rtp_last_port) == (0, 0)


def test_no_two_processes_share_a_port_a_range_or_an_application():
    processes = gateway_processes(16, Gateway(), Ari())
    ports = [port for each in processes for port in (each.port, each.metrics_port)]
    assert len(set(ports)) == 32
    media = [port for each in processes for port in range(each.rtp_first_port, each.rtp_last_port + 1)]
    assert len(set(media)) == len(media)
    assert [each.app for each in processes] == [f"tong-dai-{n}" for n in range(1, 17)]


def test_no_process_takes_the_port_of_another_service():
    others = {getattr(settings_of(each), name) for each in SERVICES[:-1] for name in ("port", "metrics_port")}
    taken = {port for each in gateway_processes(16, Gateway(), Ari()) for port in (each.port, each.metrics_port)}
    assert not taken & others


def test_a_range_of_media_ports_is_divided():
    processes = gateway_processes(3, Gateway(), Ari(rtp_first_port=20000, rtp_last_port=20099))
    ranges = [(each.rtp_first_port, each.rtp_last_port) for each in processes]
    assert ranges == [(20000, 20032), (20033, 20065), (20066, 20098)]


def test_ports_that_are_left_open_stay_open():
    assert [each.metrics_port for each in gateway_processes(2, Gateway(metrics_port=0), Ari())] == [0, 0]


def test_a_range_that_is_too_small_is_refused_with_its_name():
    with pytest.raises(ValueError, match="GATEWAY_ARI_RTP_FIRST_PORT"):
        gateway_processes(3, Gateway(), Ari(rtp_first_port=20000, rtp_last_port=20001))


def test_ports_beyond_the_last_are_refused():
    with pytest.raises(ValueError, match="GATEWAY_PORT"):
        gateway_processes(16, Gateway(port=65500), Ari())


@pytest.mark.parametrize("processes", ["0", "17", "two"])
def test_a_number_that_cannot_be_is_refused(processes: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_PROCESSES", processes)
    with pytest.raises(ValidationError, match="processes"):
        GatewayProcesses()


def test_what_is_derived_is_handed_on_in_the_gateways_own_settings():
    _, second = gateway_processes(2, Gateway(), Ari())
    assert second.environment == {
        "GATEWAY_PORT": "50061",
        "GATEWAY_METRICS_PORT": "9111",
        "GATEWAY_ARI_APP": "tong-dai-2",
        "GATEWAY_ARI_RTP_FIRST_PORT": "20500",
        "GATEWAY_ARI_RTP_LAST_PORT": "20999",
    }


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_the_dialplan_offers_a_call_to_each_application_once(others: int):
    """In turn, from behind the last call, until one takes it or none is left; other calls come between its tries."""
    three = ["tong-dai-3", "tong-dai-1", "tong-dai-2"]
    assert offered(applications("tong-dai", 3), last=2, others=others) == three
    assert offered(applications("tong-dai", 1), last=1, others=others) == ["tong-dai"]


def offered(apps: tuple[str, ...], *, last: int, others: int) -> list[str]:
    """The places to which the shipped dialplan offers a call that no gateway takes, by its own written expressions."""
    dialplan = (_ASTERISK / "production/extensions.conf").read_text(encoding="utf-8")
    first = re.search(r" n,Set\(TONG_DAI_AT=\$\[(.*)\]\)$", dialplan, re.MULTILINE)
    following = re.search(r"\(next\),Set\(TONG_DAI_AT=\$\[(.*)\]\)$", dialplan, re.MULTILINE)
    less = re.search(r"\(try\),Set\(TONG_DAI_LEFT=\$\[(.*)\]\)$", dialplan, re.MULTILINE)
    again = re.search(r"& 0\$\{TONG_DAI_LEFT\} (> 0)\]\?tong-dai,answer,next\)$", dialplan, re.MULTILINE)
    assert first is not None
    assert following is not None
    assert less is not None
    assert again is not None
    assert "Stasis(${CUT(TONG_DAI_APP,&,${TONG_DAI_AT})})" in dialplan
    values = {"${TONG_DAI_LEFT}": len(apps), "${GLOBAL(TONG_DAI_LAST)}": last, "${FIELDQTY(TONG_DAI_APP,&)}": len(apps)}
    taken: list[str] = []
    while True:
        values["${TONG_DAI_AT}"] = _sum((following if taken else first)[1], values)
        values["${GLOBAL(TONG_DAI_LAST)}"] = (values["${GLOBAL(TONG_DAI_LAST)}"] + others) % len(apps)
        values["${TONG_DAI_LEFT}"] = _sum(less[1], values)
        taken.append(apps[values["${TONG_DAI_AT}"] - 1])
        if not values["${TONG_DAI_LEFT}"] > 0:
            return taken


def _sum(expression: str, values: dict[str, int]) -> int:
    for name, value in values.items():
        expression = expression.replace(name, str(value))
    assert re.fullmatch(r"[\d %+-]+", expression)
    return int(eval(expression))  # noqa: S307  digits and signs only


def test_the_exchange_ends_a_call_after_the_gateways_goodbye_and_none_that_a_human_has():
    dialplan = (_ASTERISK / "production/extensions.conf").read_text(encoding="utf-8")
    longest = re.search(r"^TONG_DAI_LONGEST_CALL_S=(\d+)$", dialplan, re.MULTILINE)
    assert longest is not None
    assert int(longest[1]) >= GatewaySettings().max_call_s + 30
    lines = dialplan.splitlines()
    for before, line in pairwise(lines):
        assert "Dial(" not in line or line.startswith(";") or before.endswith("Set(TIMEOUT(absolute)=0)")


def test_the_private_exchange_loads_what_its_dialplan_uses():
    modules = (_ASTERISK / "private/modules.conf").read_text(encoding="utf-8")
    for module in ("func_cut", "func_global", "func_strings", "func_channel", "func_timeout"):
        assert f"load={module}.so" in modules
