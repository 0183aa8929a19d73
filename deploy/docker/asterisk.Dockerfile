# A private Asterisk, out of Debian's packages, on loopback, for trials. Built by `make images`.
ARG BASE=tong-dai/base
FROM ${BASE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY deploy/uv.txt deploy/
COPY deploy/docker/packages.sh deploy/docker/
RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=ca deploy/docker/packages.sh
COPY services/__init__.py services/__init__.py
COPY services/runtime services/runtime
COPY services/language services/language
COPY deploy/__init__.py deploy/gateways.py deploy/
COPY deploy/asterisk deploy/asterisk
RUN PYTHONPATH=/app .venv/bin/python -c 'from pathlib import Path; from deploy.asterisk.archive import ensure_asterisk; print(ensure_asterisk(Path("/opt/asterisk"), print).version())' \
    && rm -rf /opt/asterisk/root/usr/share/doc /opt/asterisk/root/usr/share/man

FROM ${BASE}
RUN useradd --uid 10001 --create-home tong-dai && install -d -o 10001 /opt/asterisk /opt/asterisk/state-10001
WORKDIR /app
COPY --from=build /opt/asterisk/root /opt/asterisk/root
COPY --from=build /app .
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PBX_FOLDER=/opt/asterisk
USER 10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["python", "-I", "/app/deploy/asterisk/answers.py"]
ENTRYPOINT ["python", "-m", "deploy.asterisk.pbx"]
