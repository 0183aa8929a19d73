# A caller, by SIP or by gRPC, for trials: prints a transcript and how long each part took. Built by `make images`.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca deploy/docker/packages.sh --group phone

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY deploy/__init__.py deploy/gateways.py deploy/
COPY clients/phone clients/phone
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 PHONE_OUT=/tmp/call HOME=/tmp
USER 10001
ENTRYPOINT ["sh", "-c", "if [ -s /secrets/token ]; then PHONE_TOKEN=$(cat /secrets/token); export PHONE_TOKEN; fi; exec python -m clients.phone"]
