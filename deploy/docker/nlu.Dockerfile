# nlu: decides what the agent says. Built by `make images`, which makes tong-dai/base first.
# llama-cpp-python is compiled here, in the build stage; the compiler stays there.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY deploy/llama_cpp.cmake deploy/
# For any x86-64 with AVX2; the V100 server's image is nlu_cuda.Dockerfile.
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_PROJECT_llama_cpp_INCLUDE=/app/deploy/llama_cpp.cmake"
# Others, with the packages of pyproject.toml: --build-arg ENGINES="nlu-llama-cpp agent-graph nlu-tools nlu-openai"
ARG ENGINES="nlu-llama-cpp agent-graph nlu-tools"
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca \
    CMAKE_ARGS="$CMAKE_ARGS" deploy/docker/packages.sh $(printf -- "--extra %s " $ENGINES)

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN useradd --uid 10001 --create-home tong-dai && install -d -o 10001 /var/lib/tong-dai
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY protos/gen protos/gen
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/audio services/audio
COPY services/language services/language
COPY services/nlu services/nlu
COPY deploy/__init__.py deploy/models.toml deploy/probe.py deploy/stack.py deploy/healthcheck.py deploy/
COPY deploy/agents deploy/agents
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models \
    NLU_PROMPT_CACHE_DIR=/var/lib/tong-dai/prompts NLU_UNDERSTANDING_CACHE_DIR=/var/lib/tong-dai/understanding \
    NLU_DATA_DIR=/var/lib/tong-dai/data
USER 10001
EXPOSE 50053 9103
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["python", "-I", "/app/deploy/healthcheck.py", "nlu"]
ENTRYPOINT ["python", "-m", "services.nlu"]
