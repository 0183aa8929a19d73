#!/bin/sh
# Make requirements.lock again from requirements.in. Versions in the lock stay unless requirements.in forbids them.
set -eu
cd "$(dirname "$0")"

lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
cat requirements.lock 2>/dev/null >"$lock" || true
here=$PWD
# Outside of the project, whose settings for uv keep torch out.
(cd / && "${UV:-uv}" pip compile --quiet --no-annotate --no-header --python-version 3.11 --python-platform linux \
	"$here/requirements.in" -o "$lock" >/dev/null)
{
	echo "# Made by deploy/clone/lock.sh; installed without dependencies: it is whole."
	grep -v '^#' "$lock"
} >requirements.lock
