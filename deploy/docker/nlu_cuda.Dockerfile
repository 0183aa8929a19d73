# nlu on NVIDIA GPUs. CUDA 12: version 13 dropped the V100 (compute capability 7.0).
# docker build -f deploy/docker/nlu_cuda.Dockerfile -t tong-dai/nlu:cuda .
FROM nvidia/cuda:12.6.3-devel-ubuntu24.04 AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ python3.12-dev python3-pip \
    && rm -rf /var/lib/apt/lists/*
ARG CUDA_ARCHITECTURES=70
ENV CMAKE_ARGS="-DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES} -DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF"
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --break-system-packages --require-hashes -r /tmp/uv.txt
WORKDIR /app
COPY pyproject.toml uv.lock ./
# Others, with the packages of pyproject.toml: --build-arg ENGINES="nlu-llama-cpp agent-graph nlu-openai nlu-tools"
ARG ENGINES="nlu-llama-cpp agent-graph"
RUN uv sync --frozen --no-dev --no-install-project --python /usr/bin/python3.12 $(printf -- "--extra %s " $ENGINES)

FROM nvidia/cuda:12.6.3-runtime-ubuntu24.04
RUN apt-get update && apt-get install -y --no-install-recommends python3.12 libgomp1 && rm -rf /var/lib/apt/lists/*
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
ENV NLU_GPU_LAYERS=-1
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app:/app/protos/gen PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models \
    NLU_PROMPT_CACHE_DIR=/tmp/prompts
USER tong-dai
EXPOSE 50053 9103
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-m", "deploy.probe", "nlu"]
ENTRYPOINT ["python", "-m", "services.nlu"]
