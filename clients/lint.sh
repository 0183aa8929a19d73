#!/usr/bin/env bash
# The linters and formatters of all four languages; javac (-Xlint:all -Werror) and tsc (strict) lint in the build. Needs `make
# clients` and the environment of the tests.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$PWD/../.venv/bin:$PATH"
[ -x /usr/local/go/bin/go ] && ! command -v go >/dev/null && export PATH="$PATH:/usr/local/go/bin"

echo "== gofmt, go vet"
unformatted=$(gofmt -l go)
if [ -n "$unformatted" ]; then
	printf 'not as gofmt writes it: %s\n' "$unformatted" >&2
	exit 1
fi
(cd go && go vet -p 2 ./...)
echo "== eslint, prettier (tsc is strict in the build)"
(cd typescript && npm run --silent lint)
echo "== checkstyle"
mvn -q -B -f java/pom.xml checkstyle:check
echo "== ruff, mypy"
ruff check --quiet python ../tests/clients
ruff format --quiet --check python ../tests/clients
(cd .. && mypy clients/python)
