# nlu on NVIDIA GPUs. CUDA 12: version 13 dropped the V100 (compute capability 7.0).
#   make images IMAGE=nlu-cuda   with NVIDIA's own images, or, where no registry is reached, CUDA of Debian's packages
# The digests have been read in public build files, not pulled by us.
ARG CUDA_DEVEL=nvidia/cuda:12.6.3-devel-ubuntu24.04@sha256:392c0df7b577ecae17a17f6ba7f2009c217bb4422f8431c053ae9af61a8c148a
ARG CUDA_RUNTIME=nvidia/cuda:12.6.3-runtime-ubuntu24.04@sha256:92906d87596d638d35015c6353053121bd299d25943b875763321653884ba924
FROM ${CUDA_DEVEL} AS build
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends ccache g++ python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/llama_cpp.cmake deploy/
COPY deploy/docker/packages.sh deploy/docker/
# Machine code for the V100, and its PTX, which the driver compiles for newer cards at the first start; name those cards
# too where that start matters: "70;80;90". The compiler of the machine code is nvcc: no GPU is needed to build.
ARG CUDA_ARCHITECTURES=70
# Link against the driver's stub: libcuda itself comes with the host's driver.
ARG CMAKE_ARGS="-DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES} -DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_PROJECT_llama_cpp_INCLUDE=/app/deploy/llama_cpp.cmake"
# llama.cpp compiles through ccache where it finds one. Its kernels take hours on few cores: what has been compiled lies in
# BuildKit's cache, so that a build that was ended goes on where it was. The source lies elsewhere each time.
ENV CCACHE_DIR=/root/.cache/ccache CCACHE_BASEDIR=/ CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=5G
# Others, with the packages of pyproject.toml: --build-arg ENGINES="nlu-llama-cpp agent-graph nlu-tools nlu-openai"
ARG ENGINES="nlu-llama-cpp agent-graph nlu-tools"
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca \
    CMAKE_ARGS="$CMAKE_ARGS" deploy/docker/packages.sh $(printf -- "--extra %s " $ENGINES)

FROM ${CUDA_RUNTIME}
RUN apt-get update && apt-get install -y --no-install-recommends python3 libgomp1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN useradd --uid 10001 --create-home tong-dai && install -d -o 10001 /var/lib/tong-dai
ENV NLU_GPU_LAYERS=-1
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
