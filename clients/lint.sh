#!/usr/bin/env bash
# The linters and formatters of Go, TypeScript and Java; those of Python are in `make check`. Needs `make clients`.
set -euo pipefail
cd "$(dirname "$0")"
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
