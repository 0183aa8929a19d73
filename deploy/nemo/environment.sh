#!/bin/sh
# Make the environment of the engine `nemo` ready: .cache/nemo-venv, with torch, NeMo and BigVGAN (5.6 GB, import 20 s).
#
# TORCH_INDEX=https://download.pytorch.org/whl/cu126 takes torch from there: CUDA 12.6 for the V100 (docs/GPU.md), or cpu.
set -eu
cd "$(dirname "$0")/../.."

VENV=.cache/nemo-venv
LOCK=deploy/nemo/requirements.lock
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
echo "  NeMo's environment is made in $VENV: 5.6 GB, one to five minutes; NeMo takes 20 s to import"
mkdir -p .cache
[ -x $VENV/bin/python ] || "$uv" venv --quiet $VENV
lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
if [ -n "${TORCH_INDEX:-}" ]; then
	# That index's torch brings its own CUDA libraries; those of the lock are for PyPI's torch.
	grep -vE '^(torch|triton|nvidia-[a-z-]+(-cu13)?|cuda-[a-z-]+)==' $LOCK >"$lock"
	"$uv" pip install --quiet --python $VENV/bin/python "$(grep '^torch==' $LOCK)" --index "$TORCH_INDEX"
else
	cp $LOCK "$lock"
fi
"$uv" pip install --quiet --no-deps --python $VENV/bin/python -r "$lock"
echo "$wanted" >$MADE
