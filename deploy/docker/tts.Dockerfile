# tts: speaks. Built by `make images`, which makes tong-dai/base first.
# It holds espeak-ng (GPL-3), in a process of its own; leave --extra tts-espeak out for an image without it.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca deploy/docker/packages.sh --extra tts-piper --extra tts-espeak

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai && install -d -o 10001 /var/lib/tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/tts services/tts
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/healthcheck.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models \
    TTS_CACHE_DIR=/var/lib/tong-dai/speech
USER 10001
EXPOSE 50054 9104
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["python", "-I", "/app/deploy/healthcheck.py", "tts"]
ENTRYPOINT ["python", "-m", "services.tts"]
