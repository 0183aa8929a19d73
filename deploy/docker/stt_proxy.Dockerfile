# stt_proxy: hears the caller.
# docker build -f deploy/docker/stt_proxy.Dockerfile -t tong-dai/stt-proxy .
FROM python:3.12-slim-bookworm AS build
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --extra stt-faster-whisper

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/stt_proxy services/stt_proxy
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models
USER tong-dai
EXPOSE 50052 9102
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-m", "deploy.probe", "stt_proxy"]
ENTRYPOINT ["python", "-m", "services.stt_proxy"]
