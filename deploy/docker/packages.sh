#!/bin/sh
# The Python packages of one image, in /app/.venv: deploy/docker/packages.sh --extra gateway ...
#
# Everything is installed by the hashes of uv.lock. Run by the Dockerfiles in their build stages: the cache of uv is a
# BuildKit cache, apart for each set of compiler flags, since uv would hand out a wheel that was compiled with others.
# The secret `ca` holds the certificates that the building machine trusts, where its network needs its own.
set -eu
if [ -s /run/secrets/ca ]; then
	export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca REQUESTS_CA_BUNDLE=/run/secrets/ca
fi
flags=$(printf %s "${CMAKE_ARGS:-}" | sha256sum | cut -c1-12)
export UV_CACHE_DIR="/root/.cache/uv-$flags" UV_LINK_MODE=copy
python3 -m venv /tmp/uv
/tmp/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/uv.txt
/tmp/uv/bin/uv sync --quiet --frozen --no-dev --no-install-project --compile-bytecode \
	--python "$(command -v python3)" --no-python-downloads "$@"
