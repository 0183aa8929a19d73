# nlu: decides what the agent says. llama-cpp-python is compiled here, in the build stage.
# docker build -f deploy/docker/nlu.Dockerfile -t tong-dai/nlu .
FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
# For any x86-64 with AVX2; the V100 server's image is nlu_cuda.Dockerfile.
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF"
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt
WORKDIR /app
COPY pyproject.toml uv.lock ./
# Others, with the packages of pyproject.toml: --build-arg ENGINES="nlu-llama-cpp agent-graph nlu-openai nlu-tools"
ARG ENGINES="nlu-llama-cpp agent-graph"
RUN CMAKE_ARGS="$CMAKE_ARGS" uv sync --frozen --no-dev --no-install-project $(printf -- "--extra %s " $ENGINES)

FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/nlu services/nlu
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/
COPY deploy/agents deploy/agents
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models \
    NLU_PROMPT_CACHE_DIR=/tmp/prompts
USER tong-dai
EXPOSE 50053 9103
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-m", "deploy.probe", "nlu"]
ENTRYPOINT ["python", "-m", "services.nlu"]
