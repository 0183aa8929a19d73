# tts with the engine nemo, on NVIDIA GPUs: torch brings CUDA, the host its driver (docs/GPU.md). Some 8 GB.
# Built by `make images IMAGE=tts-nemo`, which makes tong-dai/base first.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
# Some of NeMo's packages are source alone.
RUN apt-get update && apt-get install -y --no-install-recommends g++ python3-dev \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY deploy/uv.txt deploy/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m venv /tmp/uv && /tmp/uv/bin/pip install --quiet --require-hashes -r deploy/uv.txt
# CUDA 12.6: version 13 dropped the V100 (compute capability 7.0). Empty: torch of PyPI, for newer cards.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu126
COPY deploy/nemo deploy/nemo
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi; \
    UV=/tmp/uv/bin/uv UV_LINK_MODE=copy UV_NO_MANAGED_PYTHON=1 TORCH_INDEX=${TORCH_INDEX} deploy/nemo/environment.sh

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai && install -d -o 10001 /var/lib/tong-dai
WORKDIR /app
COPY --from=build /app/.cache/nemo-venv .cache/nemo-venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/tts services/tts
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/healthcheck.py deploy/
ENV PATH=/app/.cache/nemo-venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 \
    TONG_DAI_MODELS_DIR=/models TTS_CACHE_DIR=/var/lib/tong-dai/speech TTS_ENGINES="*=nemo" HF_HOME=/models/huggingface \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
USER 10001
EXPOSE 50054 9104
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s CMD ["python", "-I", "/app/deploy/healthcheck.py", "tts"]
ENTRYPOINT ["python", "-m", "services.tts"]
