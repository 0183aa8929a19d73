# tts: speaks. Holds espeak-ng (GPL-3), in a process of its own; leave --extra tts-espeak out for an image without it.
# docker build -f deploy/docker/tts.Dockerfile -t tong-dai/tts .
FROM python:3.12-slim-bookworm AS build
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --extra tts-piper --extra tts-espeak

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/tts services/tts
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models \
    TTS_CACHE_DIR=/tmp/speech
USER tong-dai
EXPOSE 50054 9104
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-m", "deploy.probe", "tts"]
ENTRYPOINT ["python", "-m", "services.tts"]
