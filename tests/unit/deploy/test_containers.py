"""The images and the stack in containers, as far as they can be told without Docker: sizes, limits, secrets, health."""

import base64
import errno
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import Mock

import numpy as np
import pytest

from deploy import healthcheck, trial_secrets
from deploy.asterisk import answers, archive
from deploy.asterisk.pbx import read_password
from deploy.asterisk.private_pbx import PbxAccount
from deploy.containers import base, images, kills, sbom, stack
from deploy.containers.docker import DockerFault, advice, cause_of, check_daemon
from deploy.containers.images import layers_of, over_budget, read_table
from deploy.containers.kills import silences
from deploy.containers.stack import is_hopeless, lack_of
from deploy.stack import SERVICES, settings_of
from services.runtime.errors import StartupError
from tests.unit.deploy.test_deployment_files import read_yaml

_ROOT = Path(__file__).parents[3]
_DOCKER = _ROOT / "deploy" / "docker"
BASE, TABLE = read_table()
IMAGES = [image for image in TABLE if not image.is_for_gpus]
TRIAL = ("compose.yaml", "compose.trial.yaml")


def test_every_image_of_the_trial_has_a_row_and_a_reason_for_each_large_part() -> None:
    named = {
        found
        for file in TRIAL
        for about in read_yaml(_ROOT / "deploy" / file)[0]["services"].values()
        for found in re.findall(r"tong-dai/[a-z-]+", str(about.get("image", "")))
    }
    assert named == {image.tag for image in IMAGES}
    for image in IMAGES:
        assert (_ROOT / image.dockerfile).is_file()
        assert {"base", "packages"} <= image.parts.keys()
        assert all(image.parts.values())
    assert re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", BASE.registry), "by digest"


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_over_its_budget_is_reported(image: Any) -> None:
    assert image.budget_mb > 100, "first measured, plus 10 %"
    assert over_budget(image, image.budget_mb) == ""
    assert f"{image.budget_mb:.0f} MB" in over_budget(image, image.budget_mb + 0.1)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_is_built_from_the_one_base_and_runs_as_nobody_with_no_compiler(image: Any) -> None:
    text = (_ROOT / image.dockerfile).read_text(encoding="utf-8")
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}
    final = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)", final, re.MULTILINE) == ["10001"]
    assert not re.search(r"g\+\+|gcc|cmake|-dev\b|packages\.sh", final)


def test_images_for_gpus_are_those_that_compose_and_kubernetes_name() -> None:
    named = re.findall(r"tong-dai/\w+:\w+", (_ROOT / "deploy" / "compose.gpu.yaml").read_text(encoding="utf-8"))
    assert {image.tag for image in TABLE if image.is_for_gpus} == set(named)
    overlay = read_yaml(_ROOT / "deploy" / "kubernetes" / "gpu" / "kustomization.yaml")[0]
    assert {f"{each['name']}:{each['newTag']}" for each in overlay["images"]} == set(named)
    for image in TABLE:
        if image.is_for_gpus:
            text = (_ROOT / image.dockerfile).read_text(encoding="utf-8")
            assert re.findall(r"^USER (.*)", text, re.MULTILINE) == ["10001"]
            assert all("@sha256:" in found for found in re.findall(r"^ARG CUDA_\w+=(nvidia\S+)", text, re.MULTILINE))


def test_every_image_is_named_by_the_variable_that_holds_its_id() -> None:
    """What `make images` writes into images.env is what Compose starts, by every file that names the image."""
    named = [
        found
        for path in (_ROOT / "deploy").glob("compose*.yaml")
        for found in re.findall(r"image: \$\{(\w+):-(tong-dai/[\w:-]+)\}", path.read_text(encoding="utf-8"))
    ]
    assert set(named) == {(image.variable, image.tag) for image in TABLE}


def test_layers_are_read_with_their_causes() -> None:
    history = "188200000\tCOPY /app/.venv .venv # buildkit\n0\tENV A=b\n124800000\t\n"
    assert [(layer.size_mb, layer.cause) for layer in layers_of(history)] == [
        (188.2, "COPY /app/.venv .venv"), (0.0, "ENV A=b"), (124.8, "the base"),
    ]  # fmt: skip


def test_a_bill_of_materials_lists_each_package_once_with_url_and_hash() -> None:
    dpkg = (
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n"
        "Description: GNU C Library\n long text: with a colon\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    python = [
        {"name": "Typing_Extensions", "version": "4.1", "licence": "PSF-2.0"},
        {"name": "Typing_Extensions", "version": "4.1", "licence": "PSF-2.0"},
        {"name": "odd", "version": "1", "licence": "x" * 5000},
    ]
    packages = sbom.read_listing(json.dumps({"python": python, "dpkg": dpkg}))
    assert [package.purl for package in packages] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64", "pkg:pypi/odd@1", "pkg:pypi/typing-extensions@4.1",
    ]  # fmt: skip
    document = sbom.make_sbom(
        "tong-dai/x", "sha256:" + "a" * 64, "0.1.0", packages, {("typing-extensions", "4.1"): "b" * 64},
        now=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    last = document["components"][-1]
    assert last["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert last["licenses"] == [{"license": {"name": "PSF-2.0"}}]
    assert "licenses" not in document["components"][1], "a whole text is no name"
    assert json.loads(sbom.to_json(document)) == document


def put_program(place: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of the shell there, and its folder first on PATH."""
    place.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(place.parent), prepend=os.pathsep)


def test_packages_that_were_unpacked_and_uv_are_in_the_bill_of_materials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = "Package: asterisk\nVersion: 1:22.5-1\nArchitecture: amd64\nDescription: a PBX\n long: text"
    put_program(tmp_path / "apt-get", monkeypatch, 'case "$*" in *download*) touch asterisk_22.5.deb ;; esac')
    put_program(tmp_path / "dpkg-deb", monkeypatch, f'[ "$1" = -x ] || echo "{control}"')
    put_program(tmp_path / "dpkg", monkeypatch, "echo amd64")
    put_program(tmp_path / "uv", monkeypatch, "echo uv 0.9.5")
    archive.unpack_package("sid", "asterisk", tmp_path / "asterisk" / "root")
    command = [sys.executable, "-c", sbom.LISTING.replace("/opt", str(tmp_path))]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    found = {package.purl for package in sbom.read_listing(listing)}
    assert {"pkg:deb/debian/asterisk@1%3A22.5-1?arch=amd64", "pkg:pypi/uv@0.9.5"} <= found


def test_hashes_come_from_the_lock_file() -> None:
    hashes = sbom.read_hashes(_ROOT / "uv.lock")
    assert any(name == "llama-cpp-python" for name, _ in hashes), "its only archive is the source"
    assert all(re.fullmatch("[0-9a-f]{64}", found) for found in hashes.values())


@pytest.mark.parametrize("file", TRIAL)
def test_every_container_has_limits_and_its_logs_are_rotated(file: str) -> None:
    for name, about in read_yaml(_ROOT / "deploy" / file)[0]["services"].items():
        if "image" not in about:
            continue  # what another file has defined
        assert about["mem_limit"], name
        assert about["pids_limit"], name
        assert {"max-size", "max-file"} <= about["logging"]["options"].keys(), name
        if "tong-dai" in about["image"]:
            assert about["read_only"] is True, name
            assert about["cap_drop"] == ["ALL"], name
            assert about["cpus"], name


def test_the_secrets_that_are_made_are_the_ones_that_are_asked_for(tmp_path: Path) -> None:
    trial = read_yaml(_ROOT / "deploy" / "compose.trial.yaml")[0]["services"]
    asked: dict[str, set[str]] = {}
    for services in (read_yaml(_ROOT / "deploy" / "compose.tls.yaml")[0]["services"], trial):
        for name, about in services.items():
            values = [str(value) for value in about.get("environment", {}).values()]
            asked.setdefault(name, set()).update(Path(value).name for value in values if value.startswith("/secrets/"))
    made = {name: set(files) for name, files in trial_secrets.FILES.items()}
    assert asked.pop("call_gateway_standby") == asked["call_gateway"]
    asked["caller"].add("token")  # its entry point reads that
    assert made == {name: files for name, files in asked.items() if files}
    mounted = {volume.split(":")[1] for volume in trial["secrets"]["volumes"]}
    assert mounted == {f"/secrets/{name}" for name in trial_secrets.FILES}
    own = (_ROOT / "deploy" / "docker" / "models.Dockerfile").read_text(encoding="utf-8")
    for name in trial_secrets.FILES:
        assert trial[name]["volumes"] == [f"secrets_{name}:/secrets:ro"], "its own and no other's"
        assert re.search(rf"/secrets/{name}\b", own), "made there for the user that writes the volume"


def test_asterisk_and_the_gateway_of_a_trial_share_a_random_password(tmp_path: Path) -> None:
    trial_secrets.make_secrets(tmp_path)
    found = {
        path.relative_to(tmp_path).as_posix(): read_password(path, "PBX_ARI_PASSWORD_FILE", "")
        for path in tmp_path.glob("*/*-password")
    }
    ari = found["asterisk/ari-password"]
    assert found["call_gateway/ari-password"] == ari
    assert len(ari) >= 32
    assert len(found["asterisk/reception-password"]) >= 32
    assert len({ari, found["asterisk/reception-password"], PbxAccount.password}) == 3
    trial_secrets.make_secrets(tmp_path)
    assert (tmp_path / "asterisk" / "ari-password").read_text(encoding="ascii").strip() != ari, "each time another"


@pytest.mark.parametrize("text", ["", "two words", "a;b", "mật", "a\nb", "x" * 81])
def test_a_password_that_asterisk_cannot_hold_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ari-password"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StartupError, match=f"PBX_ARI_PASSWORD_FILE={file}"):
        read_password(file, "PBX_ARI_PASSWORD_FILE", "")
    with pytest.raises(StartupError, match="put the password there"):
        read_password(tmp_path / "none", "PBX_ARI_PASSWORD_FILE", "")


def test_the_health_check_of_asterisk_asks_with_the_password_of_the_file(tmp_path: Path, port: int) -> None:
    file = tmp_path / "ari-password"
    assert "cannot be read" in answers.ari_fault(port, str(file))
    file.write_text("geheim\n", encoding="ascii")
    assert "404" in answers.ari_fault(port, str(file))
    assert Page.accounts[-1] == "Basic " + base64.b64encode(b"tong-dai:geheim").decode()


def test_secrets_are_made_once_renewed_before_they_end_and_half_of_them_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "deploy.trial_secrets", str(tmp_path)]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)

    assert run().returncode == 0
    key = tmp_path / "tts" / "tls.key"
    assert key.stat().st_mode & 0o777 == 0o400
    before = key.read_bytes()
    assert run().returncode == 0
    assert key.read_bytes() == before
    was_valid = trial_secrets.DAYS
    monkeypatch.setattr(trial_secrets, "DAYS", 1)  # they end before the day that is left
    trial_secrets.make_secrets(tmp_path)
    monkeypatch.setattr(trial_secrets, "DAYS", was_valid)
    assert "renewed" in run().stdout
    assert "as they are" in run().stdout
    (tmp_path / "caller" / "token").unlink()
    refused = run()
    assert refused.returncode == 1
    assert "secrets are missing: caller/token" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_renewal_that_is_cut_off_is_made_good_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(trial_secrets, "DAYS", 1)
        trial_secrets.make_secrets(tmp_path)
    write, places = trial_secrets._write, []

    def cut_off(place: Path, text: str) -> None:
        places.append(place)
        if len(places) == sum(map(len, trial_secrets.FILES.values())):  # the last one
            place.with_name(f".{place.name}.new").touch(mode=0o400)
            raise KeyboardInterrupt
        write(place, text)

    with monkeypatch.context() as patch:
        patch.setattr(trial_secrets, "_write", cut_off)
        with pytest.raises(KeyboardInterrupt):
            trial_secrets.make_secrets(tmp_path)
    assert trial_secrets.is_whole(tmp_path)
    assert trial_secrets.are_ending(tmp_path), "so all are made once more"
    trial_secrets.make_secrets(tmp_path)
    assert not trial_secrets.are_ending(tmp_path)
    for name in (*trial_secrets.STAGES, "call_gateway"):
        authority, own = tmp_path / "call_gateway" / "ca.crt", tmp_path / name / "tls.crt"
        subprocess.run(["openssl", "verify", "-CAfile", str(authority), str(own)], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("number", "remedy", "others"),
    [(errno.ENOSPC, "free some room", "10001"), (errno.EACCES, "belong to user 10001", "free some room")],
)
def test_secrets_that_cannot_be_written_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    *, number: int, remedy: str, others: str,
) -> None:  # fmt: skip
    def refuse(place: Path, text: str) -> None:
        raise OSError(number, os.strerror(number), str(place))

    monkeypatch.setattr(trial_secrets, "_write", refuse)
    monkeypatch.setattr(sys, "argv", ["trial_secrets", str(tmp_path)])
    assert trial_secrets.main() == 1
    said = capsys.readouterr().err
    assert remedy in said
    assert others not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_health_check_asks_where_the_service_listens(service: Any) -> None:
    settings = settings_of(service)
    own = type(settings).model_fields["metrics_port"].default
    assert healthcheck.address_of(service.name, {}) == ("127.0.0.1", own)
    moved = {f"{service.prefix}_METRICS_PORT": "9999", "TONG_DAI_METRICS_HOST": "::"}
    assert healthcheck.address_of(service.name, moved) == ("::1", 9999)
    image = next(each for each in IMAGES if each.name == service.name.replace("_", "-"))
    text = (_ROOT / image.dockerfile).read_text(encoding="utf-8")
    assert f'CMD ["python", "-I", "/app/deploy/healthcheck.py", "{service.name}"]' in text


class Page(BaseHTTPRequestHandler):
    answers: tuple[int, bytes] = (200, b"ok\n")
    accounts: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        status, body = self.answers
        self.accounts.append(self.headers.get("Authorization", ""))
        self.send_response(status if self.path == "/serving" else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_health_check_says_what_the_engine_lacks(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert healthcheck.fault_of("127.0.0.1", port) == ""
    monkeypatch.setattr(Page, "answers", (503, b"the engine is lost\n"))
    assert healthcheck.fault_of("127.0.0.1", port) == "the engine is lost"
    environment = os.environ | {"TTS_METRICS_PORT": str(port)}
    command = [sys.executable, "-I", str(_ROOT / "deploy" / "healthcheck.py"), "tts"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "the engine is lost\n")


def test_a_machine_without_docker_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DockerFault, match="not installed: as root: `apt-get install"):
        check_daemon()


def test_a_daemon_is_asked_before_its_socket_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_program(tmp_path / "docker", monkeypatch, "echo 20.10.24")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert check_daemon() == "20.10.24"


def test_a_daemon_that_does_not_answer_is_looked_for_where_docker_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "docker.sock"
    put_program(tmp_path / "docker", monkeypatch, f'[ "$1" = context ] && echo unix://{place} || exit 1')
    with pytest.raises(DockerFault, match=f"no Docker daemon runs: {place} is not there: as root"):
        check_daemon()
    place.touch()
    with pytest.raises(DockerFault, match=rf"no Docker daemon answers at {place} \(.*refused\): as root"):
        check_daemon()
    monkeypatch.setattr("socket.socket.connect", Mock(side_effect=PermissionError))
    with pytest.raises(DockerFault, match=f"you may not use Docker at {place}"):
        check_daemon()
    put_program(
        tmp_path / "docker",
        monkeypatch,
        '[ "$1" = context ] && echo tcp://127.0.0.1:1 || { echo refused >&2; exit 1; }',
    )
    with pytest.raises(DockerFault, match=r"no Docker daemon answers at tcp://127.0.0.1:1 \(refused\)"):
        check_daemon()


@pytest.mark.parametrize("is_taken", [True, False], ids=["taken", "free"])
def test_docker_stop_leaves_a_process_that_is_no_docker_daemon_alone(tmp_path: Path, is_taken: bool) -> None:
    script = tmp_path / "deploy" / "docker" / "daemon.sh"
    number = tmp_path / ".cache" / "docker" / "dockerd.pid"
    for place in (script, number):
        place.parent.mkdir(parents=True)
    script.write_bytes((_DOCKER / "daemon.sh").read_bytes())
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            if not is_taken:
                other.kill()
                other.wait()
            number.write_text(f"{other.pid}\n", encoding="ascii")
            ran = subprocess.run(["sh", str(script), "stop"], capture_output=True, text=True, check=False)
            assert (other.poll() is None) is is_taken
        finally:
            other.kill()
    assert ran.returncode == 1
    assert ran.stderr == f"the Docker daemon {other.pid} had ended already; .cache/docker/dockerd.pid is removed\n"
    assert not number.exists()


def test_silences_are_those_in_which_neither_party_is_heard() -> None:
    second = 8000
    sound = np.zeros((10 * second, 2), dtype=np.int16)
    sound[: 2 * second, 1] = 5000  # the agent
    sound[4 * second : 5 * second, 0] = 5000  # the caller
    sound[5 * second + second // 2 :, 1] = 5000
    assert silences(sound, from_s=0.0) == [(2.0, 2.0)]
    assert silences(sound, from_s=4.5) == []
    assert silences(sound[: 4 * second], from_s=3.0) == [(2.0, 2.0)], "the call ended in silence"


FAILED_BUILD = """\
#6 [build 2/3] COPY uv.lock ./
#6 DONE 0.1s
#7 [build 3/3] RUN deploy/docker/packages.sh
#7 15.05 error: Failed to install: x.whl
#7 15.06   {cause}
#7 ERROR: executor failed running [/bin/sh -c deploy/docker/packages.sh]: exit code: 2
------
 > [build 3/3] RUN deploy/docker/packages.sh:
15.06   {cause}
------
ERROR: failed to solve: executor failed running [/bin/sh -c deploy/docker/packages.sh]: exit code: 2
"""


@pytest.mark.parametrize(
    "cause",
    [
        "Caused by: failed to copy file to /app/.venv/x.py: No space left on device (os error 28)",
        "E: You don't have enough free space in /var/cache/apt/archives/.",
    ],
)
def test_a_build_that_fails_on_a_full_disk_says_how_to_free_some(cause: str) -> None:
    said = advice(cause_of(FAILED_BUILD.format(cause=cause).splitlines()))
    assert said.startswith(cause)
    assert "docker builder prune" in said


@pytest.mark.parametrize("command", [images.main, stack.main, kills.main], ids=["images", "stack", "kills"])
def test_a_full_disk_of_the_host_is_told_in_one_line(
    command: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/x")
    monkeypatch.setattr(images if command is images.main else stack, "check_daemon", Mock(side_effect=full))
    monkeypatch.chdir(_ROOT)
    assert command(["up"] if command is stack.main else []) == 1
    said = capsys.readouterr().err
    assert said.startswith("out/x: No space left on device: the disk is full: `docker builder prune`")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("command", "arguments"), [(stack.main, ["call"]), (kills.main, ["tts"])])
def test_a_call_to_a_stack_that_is_not_up_is_refused(
    command: Callable[[list[str]], int], arguments: list[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    put_program(tmp_path / "docker", monkeypatch, '[ "$1" = version ] && echo 20.10.24; true')
    monkeypatch.setattr(kills, "try_fault", Mock(side_effect=DockerFault("a call was placed")))
    monkeypatch.chdir(_ROOT)
    assert command(arguments) == 1
    assert capsys.readouterr().err == "the stack is not up: make compose-up\n"


def test_a_base_that_cannot_be_packed_says_why(tmp_path: Path) -> None:
    with pytest.raises(DockerFault, match=r"none/base\.tar: Cannot open: No such file"):
        base._pack(tmp_path, tmp_path / "none" / "base.tar")


def test_a_build_that_fails_says_what_the_step_said_last() -> None:
    lines = FAILED_BUILD.format(cause="no version of numpy matches the hash").splitlines()
    assert cause_of(lines) == "  no version of numpy matches the hash".strip()
    assert cause_of(["#1 x", "ERROR: failed to solve: no such file"]) == "ERROR: failed to solve: no such file"
    assert cause_of([]) == "it said nothing"


def test_a_container_that_ends_again_and_again_is_not_waited_for() -> None:
    assert not is_hopeless([{"Id": "a", "RestartCount": 2}], {})
    assert is_hopeless([{"Id": "b", "RestartCount": 0}, {"Id": "a", "RestartCount": 3}], {})
    assert not is_hopeless([{"Id": "a", "RestartCount": 5}], {"a": 3}), "what was before does not count"


@pytest.mark.timeout(30)
def test_a_start_is_given_up_when_a_container_is_killed_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = ["sleep", "60"]
    monkeypatch.setattr(stack, "compose", lambda *_: waits)
    monkeypatch.setattr(stack, "containers", list)
    monkeypatch.setattr(stack, "killed_for_memory", lambda _: ["nlu"])
    monkeypatch.setattr(stack, "_LOOK_EVERY_S", 0.05)
    with pytest.raises(DockerFault, match="raise TONG_DAI_NLU_MEMORY"):
        stack._start("nlu", since=0.0)


def test_an_unhealthy_container_says_what_its_last_health_check_found() -> None:
    looks = [{"ExitCode": 1, "Output": "old"}, {"ExitCode": 1, "Output": "the engine loads\nits model\n"}]
    assert lack_of({"Health": {"Status": "unhealthy", "Log": looks}}) == "the engine loads its model"
    assert lack_of({"Health": {"Status": "healthy", "Log": [{"ExitCode": 0, "Output": "serves"}]}}) == ""
    assert lack_of({}) == ""
    assert lack_of({"Health": {"Log": None}}) == ""


def test_a_log_whose_last_line_is_cut_off_still_says_what_was_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = '{"level": "error", "event": "model_missing", "fault": "no such file"}\n{"level": "err'
    put_program(tmp_path / "docker", monkeypatch, f"printf '%s' '{lines}'")
    assert stack.last_words("tong-dai-nlu-1") == "model_missing no such file"


def test_last_words_of_a_daemon_are_turned_into_advice() -> None:
    assert "docker builder prune" in advice("write /x: no space left on device")
    assert "stop it, or set" in advice("listen udp4 0.0.0.0:5060: bind: address already in use")
    kernel = "Error response from daemon: Failed to Setup IP tables / create network: bridge: operation not supported"
    assert "without BRIDGE=1" in advice(kernel)
    assert advice("something else") == "something else"


def test_the_processors_of_the_settings_file_go_before_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TONG_DAI_CPUS", raising=False)
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    assert stack.environment()["TONG_DAI_CPUS"] == str(os.cpu_count())
    (tmp_path / ".env").write_text("TONG_DAI_CPUS=1 # of many\n", encoding="utf-8")
    assert stack.environment()["TONG_DAI_CPUS"] == "1"
    monkeypatch.setenv("TONG_DAI_CPUS", "0.5")
    assert stack.environment()["TONG_DAI_CPUS"] == "0.5"


def test_a_port_of_the_trial_is_moved_for_who_listens_and_for_who_asks() -> None:
    services = read_yaml(_ROOT / "deploy" / "compose.trial.yaml")[0]["services"]
    bridge = read_yaml(_ROOT / "deploy" / "compose.trial-bridge.yaml")[0]["services"]
    given = {name: about.get("environment", {}) for name, about in services.items()}
    ari, port = "${PBX_ARI_PORT:-8088}", "${GATEWAY_PORT:-50051}"
    assert (given["asterisk"]["PBX_ARI_PORT"], given["asterisk"]["PBX_SIP_PORT"]) == (ari, "${PBX_SIP_PORT:-15060}")
    for name in ("call_gateway", "call_gateway_standby"):
        assert (
            given[name]["GATEWAY_ARI_URL"]
            == bridge[name]["environment"]["GATEWAY_ARI_URL"]
            == f"http://127.0.0.1:{ari}"
        )
        assert given[name]["GATEWAY_PORT"] == port
    assert given["caller"]["PHONE_GATEWAY"] == f"127.0.0.1:{port}"
    assert "127.0.0.1:${PBX_SIP_PORT:-15060}" in given["caller"]["PHONE_NUMBER"]
    assert bridge["asterisk"]["ports"] == [f"127.0.0.1:{port}:{port}"]
