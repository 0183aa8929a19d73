# tts with the engine nemo, on NVIDIA GPUs: torch brings CUDA, the host its driver (docs/GPU.md). Some 8 GB.
# docker build -f deploy/docker/tts_nemo.Dockerfile -t tong-dai/tts:nemo .
FROM python:3.11-slim-bookworm AS build
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt
WORKDIR /app
# CUDA 12.6: version 13 dropped the V100 (compute capability 7.0).
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu126
ENV TORCH_INDEX=${TORCH_INDEX}
COPY deploy/nemo deploy/nemo
RUN UV=$(command -v uv) deploy/nemo/environment.sh

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home tong-dai
WORKDIR /app
COPY --from=build /app/.cache/nemo-venv .cache/nemo-venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/tts services/tts
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/
ENV PATH=/app/.cache/nemo-venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 \
    TONG_DAI_MODELS_DIR=/models TTS_CACHE_DIR=/tmp/speech TTS_ENGINES="*=nemo" HF_HOME=/models/huggingface \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
USER tong-dai
EXPOSE 50054 9104
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s CMD ["python", "-m", "deploy.probe", "tts"]
ENTRYPOINT ["python", "-m", "services.tts"]
