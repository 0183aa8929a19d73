"""What another team takes: the example of each README runs as it stands, versions agree, the libraries are thin."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.stack import ROOT, environment
from tests.clients.test_programs import samples_of
from tests.fakes.ports import free_port

CLIENTS = ROOT / "clients"
TYPESCRIPT = CLIENTS / "typescript"
"""Its example is compiled inside the package, which then finds itself by its name."""
COMPILE = "node_modules/.bin/tsc --module NodeNext --target ES2022 --strict --skipLibCheck --types node"
COMMANDS = {
    "go": ("main.go", f"go -C {CLIENTS / 'go'} build -o FOLDER/hello FOLDER/main.go && ./hello"),
    "typescript": ("hello.ts", f"(cd {TYPESCRIPT} && {COMPILE} FOLDER/hello.ts) && node hello.js"),
    "java": (
        "Hello.java",
        f"java -cp '{CLIENTS}/java/target/tong-dai-client.jar:{CLIENTS}/java/target/lib/*' Hello.java",
    ),
    "python": ("hello.py", f"{sys.executable} hello.py"),
}


def example_of(language: str) -> str:
    """The first block of code in a README."""
    readme = (CLIENTS / language / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```\w+\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    return block[1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", COMMANDS)
def test_the_example_runs(language: str, tmp_path: Path) -> None:
    target = f"127.0.0.1:{free_port()}"
    folder = TYPESCRIPT / "dist" / "example" if language == "typescript" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    name, command = COMMANDS[language]
    (folder / name).write_text(example_of(language).replace("127.0.0.1:50054", target), encoding="utf-8")
    server = subprocess.Popen([CLIENTS / "go/bin/tone-tts", "--address", target], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline()
        environ = environment() | {"PATH": f"{os.environ['PATH']}{os.pathsep}/usr/local/go/bin"}
        shell = command.replace("FOLDER", str(folder))
        ran = subprocess.run(
            ["sh", "-c", shell], cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False
        )
    finally:
        server.kill()
        server.wait()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert samples_of(folder / "hello.wav") == len("Hello.") * 30 * 8, "30 ms for each code point"


@pytest.mark.timeout(300)
def test_the_own_tests_of_go_pass() -> None:
    environ = environment() | {"PATH": f"{os.environ['PATH']}{os.pathsep}/usr/local/go/bin"}
    command = ["go", "-C", str(CLIENTS / "go"), "test", "-p", "2", "./..."]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_clients_carry_the_version_of_the_protos() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "protos/CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    pom = re.search(r"<version>(.*?)</version>", (CLIENTS / "java/pom.xml").read_text(encoding="utf-8"))
    assert pom is not None
    packages = [json.loads((TYPESCRIPT / name).read_text()) for name in ("package.json", "package-lock.json")]
    assert {pom[1], *(package["version"] for package in packages)} == {newest[1]}
    for language in ("java", "typescript"):
        assert newest[1] in (CLIENTS / language / "README.md").read_text(encoding="utf-8")


LIBRARIES = {
    "go": ("go", "*.go"),
    "typescript": ("typescript/src", "*.ts"),
    "java": ("java/src/main/java/dev/tongdai/client", "*.java"),
    "python": ("python", "*.py"),
}
NO_CODE = re.compile(r"\s*(//.*|/?\*.*|#.*|import\b.*|package\b.*|from\b.* import .*)?")


@pytest.mark.parametrize("language", LIBRARIES)
def test_a_library_is_thin(language: str) -> None:
    folder, pattern = LIBRARIES[language]
    found = (CLIENTS / folder).glob(pattern)
    files = [path for path in found if not (path.name.startswith("echo-") or path.name.endswith("_test.go"))]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert 200 < sum(not NO_CODE.fullmatch(line) for line in lines) < 700
