#!/usr/bin/env bash
# Generate the clients' code from the protos and build all four: clients/build.sh [check]
# With "check" nothing is built and nothing changed: committed code is compared with a fresh generation.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
[ -x /usr/local/go/bin/go ] && ! command -v go >/dev/null && export PATH="$PATH:/usr/local/go/bin"

missing=()
# found NAME COMMAND WANTED: the version that COMMAND prints must be at least WANTED
found() {
	local version
	version=$(eval "$2" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -1 || true)
	if [ -z "$version" ] || [ "$(printf '%s\n' "$3" "$version" | sort -V | head -1)" != "$3" ]; then
		missing+=("$1 $3 or newer (found: ${version:-none})")
	else
		echo "  $1 $version"
	fi
}
echo "== tool chains"
found Go "go version | sed 's/go version//'" 1.26
found Node.js "node --version" 20
found npm "npm --version" 10
found Java "javac -version 2>&1" 17
found Maven "mvn --version | grep -oE 'Maven [0-9.]+'" 3.8
if ((${#missing[@]})); then
	printf 'missing: %s\n' "${missing[@]}" >&2
	echo "docs/CLIENTS.md says where to get them" >&2
	exit 2
fi

echo "== plugins"
if [ ! -x clients/typescript/node_modules/.bin/tsc ] || [ clients/typescript/package-lock.json -nt clients/typescript/node_modules/.package-lock.json ]; then
	(cd clients/typescript && npm ci --no-audit --no-fund --loglevel=error)
fi
if [ ! -s .cache/clients/protoc-gen-grpc-java ] || [ clients/java/pom.xml -nt .cache/clients/protoc-gen-grpc-java ]; then
	mvn -q -B -f clients/java/pom.xml dependency:copy@protoc
	chmod +x .cache/clients/protoc .cache/clients/protoc-gen-grpc-java
	touch .cache/clients/protoc-gen-grpc-java
fi

if [ "${1:-}" = check ]; then
	echo "== committed code against a fresh generation"
	fresh=$(mktemp -d)
	trap 'rm -rf "$fresh"' EXIT
	buf generate --template protos/buf.gen.yaml --output "$fresh"
	for folder in clients/go/gen clients/typescript/src/gen protos/gen; do
		diff -r --brief --exclude=__pycache__ "$folder" "$fresh/$folder" || {
			echo "$folder is not what the protos make: run make clients and commit the result" >&2
			exit 1
		}
	done
	exit 0
fi

echo "== code from the protos"
rm -rf clients/go/gen clients/typescript/src/gen clients/java/generated
buf generate --template protos/buf.gen.yaml
echo "== Go"
(cd clients/go && go build -p 2 -o bin/ ./cmd/...)
echo "== TypeScript"
(cd clients/typescript && npm run --silent build)
echo "== Java"
mvn -q -B -f clients/java/pom.xml package
# Classes laid out beforehand (class data sharing) spare a program half of its start. The run reaches no server, and may fail.
java -XX:ArchiveClassesAtExit=clients/java/target/tong-dai.jsa -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
	-jar clients/java/target/tong-dai-client.jar chat --target 127.0.0.1:9 >/dev/null 2>&1 </dev/null || true
