# Fetches and verifies the embedded models into the volume /models, then ends.
# docker build -f deploy/docker/models.Dockerfile -t tong-dai/models .
FROM python:3.12-slim-bookworm
COPY deploy/uv.txt /tmp/uv.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/uv.txt && useradd --uid 10001 --create-home tong-dai && install -d -o tong-dai /models
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY deploy/__init__.py deploy/models.toml deploy/fetch_models.py deploy/model_sources.py deploy/settings.py deploy/uv.py deploy/
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 TONG_DAI_MODELS_DIR=/models
VOLUME /models
USER tong-dai
ENTRYPOINT ["python", "-m", "deploy.fetch_models"]
