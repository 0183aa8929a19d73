# call_gateway: takes calls and decides who has the floor. Built by `make images`, which makes tong-dai/base first.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca deploy/docker/packages.sh --extra gateway

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai && install -d -o tong-dai -g tong-dai -m 700 /var/lib/tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/call_gateway services/call_gateway
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/healthcheck.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models
USER 10001
EXPOSE 50051 9101
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["python", "-I", "/app/deploy/healthcheck.py", "call_gateway"]
ENTRYPOINT ["python", "-m", "services.call_gateway"]
