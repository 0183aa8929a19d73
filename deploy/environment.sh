#!/bin/sh
# Make .venv ready: deploy/environment.sh deploy | stack | call | test
#
# deploy what the commands around containers need: nothing is compiled
# stack  what `make run-stack` runs, and no more
# call   that, and a phone
# test   that, and what tests and checks need
#
# uv is used from PATH, or fetched with pip into .cache/uv, by hash. llama-cpp-python is left to deploy/llama_wheel.py, since it
# may have to be compiled.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.9.5 # the oldest that reads this lock file; a newer one on PATH is used as it is

say() { echo "  $*"; }
die() {
	echo "$*" >&2
	exit 1
}

is_new_enough() {
	found=$("$1" --version 2>/dev/null | sed 's/^uv \([0-9.]*\).*/\1/') && [ -n "$found" ] &&
		[ "$(printf '%s\n%s\n' "$UV_VERSION" "$found" | sort -V | head -n 1)" = "$UV_VERSION" ]
}

find_uv() {
	for uv in "${UV:-}" "$(command -v uv || true)" .cache/uv/bin/uv; do
		if [ -n "$uv" ] && is_new_enough "$uv"; then
			echo "$uv"
			return
		fi
	done
}

fetch_uv() {
	python=$(command -v python3 || command -v python || true)
	[ -n "$python" ] || die "Python is missing: apt-get install python3 python3-venv"
	say "uv is missing: fetching it with pip into .cache/uv" >&2
	rm -rf .cache/uv
	if "$python" -m pip --version >/dev/null 2>&1; then
		"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .cache/uv --require-hashes -r deploy/uv.txt >&2
	elif "$python" -c 'import ensurepip' 2>/dev/null; then
		"$python" -m venv .cache/uv >&2 && .cache/uv/bin/pip install --quiet --require-hashes -r deploy/uv.txt >&2
	else
		die "pip is missing: apt-get install python3-venv (or install uv)"
	fi || die "uv could not be fetched: see above; or install uv by hand"
}

uv=$(find_uv)
if [ -z "$uv" ]; then
	fetch_uv
	uv=$(find_uv)
	[ -n "$uv" ] || die "uv was fetched into .cache/uv but does not run there"
fi
export UV="$uv"

EXTRAS="--extra gateway --extra stt-faster-whisper --extra nlu-llama-cpp --extra agent-graph --extra nlu-tools --extra tts-piper --extra tts-espeak --extra stack"
# Engines that the environment or .env names bring their packages along.
named="${NLU_ENGINE:-} ${NLU_ENGINES:-} ${STT_ENGINE:-} ${STT_ENGINES:-} $(grep -sE '^(NLU|STT)_ENGINES?=' .env || true)"
for engine in openai:nlu-openai gemini:nlu-gemini viet_asr:stt-viet-asr vosk:stt-vosk sherpa_onnx:stt-sherpa google:stt-google; do
	case "$named" in *"${engine%:*}"*) EXTRAS="$EXTRAS --extra ${engine#*:}" ;; esac
done
# So do agents' files that name packages of tools.
agents="${NLU_AGENTS_DIR:-$(sed -n 's/^NLU_AGENTS_DIR=//p' .env 2>/dev/null || true)}"
if grep -qs 'package:' "${agents:-deploy/agents}"/*.yaml; then EXTRAS="$EXTRAS --extra nlu-tools"; fi
case "${1:-stack}" in
deploy) groups="--frozen --no-dev" EXTRAS="" ;;
stack) groups="--frozen --no-dev" ;;
call) groups="--frozen --no-dev --group phone" ;;
test) groups="--locked --group dev" EXTRAS=--all-extras ;;
*) die "usage: deploy/environment.sh deploy|stack|call|test" ;;
esac

# Compiled once: else every start of every service compiles what it imports, where Python may not write (3 s, once).
[ -x .venv/bin/python ] || groups="$groups --compile-bytecode"

# UV_FIND_LINKS would write its folder into the lock file; it is for deploy/llama_wheel.py.
# shellcheck disable=SC2086 # the options are words
UV_FIND_LINKS='' "$uv" sync --quiet --inexact $groups $EXTRAS --no-install-package llama-cpp-python ||
	die "the Python environment could not be made: see above"
[ "${1:-stack}" = deploy ] || .venv/bin/python -m deploy.llama_wheel
