#!/bin/sh
# Make the Python stubs: protos/generate.sh [FOLDER]; without one, protos/gen is made again.
set -eu
cd "$(dirname "$0")/.."

folder=${1:-protos/gen}
PATH="$PWD/.venv/bin:$PATH" # the protoc plugins of the lock file
rm -rf "$folder"
mkdir -p "$folder"
# shellcheck disable=SC2046 # one word a file
python -m grpc_tools.protoc -I protos \
	--python_out="$folder" --grpc_python_out="$folder" --mypy_out="quiet:$folder" --mypy_grpc_out="quiet:$folder" \
	$(find protos/voice -name '*.proto' | LC_ALL=C sort)
