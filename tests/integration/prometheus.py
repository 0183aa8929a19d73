"""A real Prometheus, out of Debian's package: on PATH, else unpacked into .cache/prometheus."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.asterisk.archive import unpack_package
from tests.fakes.ports import free_port

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
START_LIMIT_S = 30.0


def find_program(name: str) -> str:
    """The path of prometheus or promtool."""
    if found := shutil.which(name):
        return found
    unpacked = ROOT / ".cache" / "prometheus" / "root"
    if not (unpacked / "usr/bin" / name).is_file():
        unpack_package("bookworm", "prometheus", unpacked)
    return str(unpacked / "usr/bin" / name)


def promtool(*arguments: str) -> None:
    """Run promtool; fails with what it said."""
    ran = subprocess.run([find_program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


class Prometheus:
    """One that runs."""

    def __init__(self, address: str) -> None:
        self._address = address

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series an expression gives now."""
        return list(self._ask("query", query=expression)["result"])

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **parameters: str) -> Any:
        address = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=10) as response:
            return json.load(response)["data"]


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, int]) -> Iterator[Prometheus]:
    """Scrapes these ports every second, by service, and evaluates the alerts."""
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": service}} for service, port in targets.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [find_program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            give_up = time.monotonic() + START_LIMIT_S
            while not _is_ready(address):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < give_up, "Prometheus does not start"
                time.sleep(0.1)
            yield Prometheus(address)
        finally:
            process.terminate()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
