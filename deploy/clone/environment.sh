#!/bin/sh
# Make the environment of the engine `clone` ready: .cache/clone-venv, with torch and coqui-tts (5.2 GB with PyPI's torch,
# which brings CUDA).
#
# TORCH_INDEX=https://download.pytorch.org/whl/cu126 takes torch from there: CUDA 12.6 for the V100 (docs/GPU.md), or cpu.
set -eu
cd "$(dirname "$0")/../.."

here=$PWD
VENV=$here/.cache/clone-venv
LOCK=$here/deploy/clone/requirements.lock
MADE=$VENV/made-from

wanted=$(cat $LOCK && echo "${TORCH_INDEX:-}")
if [ -f $MADE ] && [ "$wanted" = "$(cat $MADE)" ]; then
	exit 0
fi
for uv in "${UV:-}" "$(command -v uv || true)" .cache/uv/bin/uv; do
	[ -n "$uv" ] && [ -x "$uv" ] && break
done
[ -x "$uv" ] || {
	echo "uv is missing: make run-stack or make test fetch it into .cache/uv, or install it" >&2
	exit 1
}
echo "  the environment of cloned voices is made in $VENV: 5.2 GB, one to five minutes"
mkdir -p .cache
[ -x $VENV/bin/python ] || "$uv" venv --quiet --python 3.11 $VENV
lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
case $uv in /*) ;; *) uv=$here/$uv ;; esac
cd / # outside of the project, whose settings for uv keep torch out
if [ -n "${TORCH_INDEX:-}" ]; then
	# That index's torch brings its own CUDA libraries; those of the lock are for PyPI's torch.
	grep -vE '^(torch|torchaudio|triton|nvidia-[a-z-]+(-cu13)?|cuda-[a-z-]+)==' $LOCK >"$lock"
	"$uv" pip install --quiet --python $VENV/bin/python "$(grep '^torch==' $LOCK)" torchaudio --index "$TORCH_INDEX"
else
	cp $LOCK "$lock"
fi
"$uv" pip install --quiet --no-deps --python $VENV/bin/python -r "$lock"
echo "$wanted" >$MADE
