# CUDA 12.4 of Debian 13's own packages (non-free), for machines that reach no registry of images:
#   --target devel has nvcc and a compiler, --target runtime the libraries that llama.cpp is linked against.
# Built by `make images IMAGE=nlu-cuda`, which makes tong-dai/base-cuda, Debian 13, with debootstrap first.
ARG BASE=tong-dai/base-cuda
FROM ${BASE} AS sources
RUN sed -i 's/ main$/ main non-free contrib/' /etc/apt/sources.list

FROM sources AS devel
# nvcc takes g++ 13 or older: Debian's nvidia-cuda-toolkit-gcc says which, and sets it.
RUN apt-get update && apt-get install -y --no-install-recommends nvidia-cuda-toolkit nvidia-cuda-toolkit-gcc \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
ENV NVCC_CCBIN=/usr/bin/cuda-g++ CUDAHOSTCXX=/usr/bin/cuda-g++

FROM sources AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends libcudart12 libcublas12 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
