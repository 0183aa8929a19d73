"""Client packages: the example of each README runs as it stands, versions agree, the libraries are thin."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clients.python
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


def newest_version() -> str:
    """The newest entry of the protos' changelog, which must have a date."""
    changes = (ROOT / "protos/CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d\n", changes, re.MULTILINE)
    assert newest is not None
    assert newest.start() == changes.index("\n## ") + 1, "an older entry is the first with a version and a date"
    return newest[1]


def test_the_clients_carry_the_version_of_the_protos() -> None:
    version = newest_version()
    pom = re.search(r"<version>(.*?)</version>", (CLIENTS / "java/pom.xml").read_text(encoding="utf-8"))
    assert pom is not None
    package, lock = (json.loads((TYPESCRIPT / name).read_text()) for name in ("package.json", "package-lock.json"))
    carried = {pom[1], package["version"], lock["version"], lock["packages"][""]["version"], clients.python.__version__}
    assert carried == {version}
    for where, how in (
        ("clients/go/README.md", f"clients/go@v{version}`"),
        ("clients/java/README.md", f"tong-dai-client:{version}`"),
        ("clients/typescript/README.md", f"tong-dai-client-{version}.tgz`"),
        ("docs/CLIENTS.md", f"git push origin protos/v{version} clients/go/v{version}`"),
        ("protos/CHANGELOG.md", f"Tags: `protos/v{version}`, and `clients/go/v{version}`"),
    ):
        assert how in (ROOT / where).read_text(encoding="utf-8"), where


def test_tagged_protos_are_not_changed() -> None:
    tag = f"protos/v{newest_version()}"
    if not git("tag", "--list", tag):
        return  # not yet: the tag is set on the commit that is released
    assert not git("diff", "--name-only", tag, "--", "protos/voice"), f"changed since {tag}: begin a new version"


def git(*arguments: str) -> str:
    """The output of a git command."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


LIBRARIES = {
    "go": ("go", "*.go"),
    "typescript": ("typescript/src", "*.ts"),
    "java": ("java/src/main/java/dev/tongdai/client", "*.java"),
    "python": ("python", "*.py"),
}
NO_CODE = re.compile(r"//|#|/\*|\"{3}|(?:import|package|from)\b")
"""Beginnings of a comment, a documentation or an import."""
ENDS = {"/*": "*/", '"' * 3: '"' * 3, "(": ")", "{": "}"}
"""The end of one over several lines, by its beginning."""
MOST_LINES = 640
"""Of code: what the issue of the clients calls "about 600"."""


def lines_of_code(text: str) -> int:
    """Lines of a source file that are no comment, no documentation, no import and not blank."""
    count, end = 0, ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if end:
            end = "" if end in line else end
        elif NO_CODE.match(line):
            opened = (closed for opens, closed in ENDS.items() if line.startswith(opens) or line.endswith(opens))
            end = next((closed for closed in opened if closed not in line[3:]), "")
        else:
            count += 1
    return count


@pytest.mark.parametrize("language", LIBRARIES)
def test_a_library_is_thin(language: str) -> None:
    folder, pattern = LIBRARIES[language]
    found = (CLIENTS / folder).glob(pattern)
    files = [path for path in found if not (path.name.startswith("echo-") or path.name.endswith("_test.go"))]
    lines = sum(lines_of_code(path.read_text(encoding="utf-8")) for path in files)
    assert 400 < lines <= MOST_LINES, lines


def test_comments_documentation_and_imports_are_no_code() -> None:
    assert (
        lines_of_code(
            '"""One."""\nimport (\n\t"fmt"\n)\n\n# two\nx = 1\n\ndef f():\n    """Three.\n\n    Four.\n    """\n'
        )
        == 2
    )
    assert (
        lines_of_code(
            '/** One. */\nimport type {\n  A,\n} from "a";\n/*\n * Two.\n */\nimport b;\nconst x = { // three\n};\n'
        )
        == 2
    )
