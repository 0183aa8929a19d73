# One-shot jobs: fetches and verifies the models in the volume /models; makes the secrets of a trial.
# Built by `make images`, which makes tong-dai/base first.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca deploy/docker/packages.sh && install -m 755 /tmp/uv/bin/uv .venv/bin/uv

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai \
    && install -d -o 10001 -m 700 /models /secrets /secrets/stt_proxy /secrets/nlu /secrets/tts /secrets/call_gateway /secrets/asterisk \
       /secrets/caller
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/language services/language
COPY deploy/__init__.py deploy/models.toml deploy/fetch_models.py deploy/model_sources.py deploy/settings.py deploy/uv.py \
    deploy/trial_secrets.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 10001
ENTRYPOINT ["python", "-m", "deploy.fetch_models"]
