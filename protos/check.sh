#!/bin/sh
# Check the protos: lint, format, no breaking change, committed stubs equal to fresh ones.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# What a client may have been built against: main as published, else main here, else the commit before this one.
baseline() {
	for candidate in origin/main main HEAD~1; do
		commit=$(git rev-parse --verify --quiet "$candidate^{commit}") || continue
		if [ "$commit" != "$(git rev-parse HEAD)" ]; then
			echo "$commit"
			return
		fi
	done
}

echo "  buf lint"
buf lint
echo "  buf format"
buf format --diff --exit-code
before=$(baseline)
if [ -n "$before" ]; then
	echo "  buf breaking against $(git describe --always --all "$before")"
	buf breaking --against ".git#ref=$before"
else
	echo "  buf breaking: nothing to compare with, this history has one commit"
fi

echo "  stubs against fresh ones"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protos/generate.sh "$fresh/gen"
if ! diff -r --brief --exclude=__pycache__ protos/gen "$fresh/gen"; then
	echo "protos/gen is not what the protos make: run make protos and commit the result" >&2
	exit 1
fi
