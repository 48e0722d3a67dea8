# The tag names the version that is tested. A release build pins the very image by digest:
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/cryovigil
COPY requirements/ requirements/
RUN pip install --require-hashes -r requirements/build.txt \
    && /opt/cryovigil/bin/pip install --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY mappings/ mappings/
COPY service/ service/
# What runs needs no installer, so none is shipped.
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
    && /opt/cryovigil/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/cryovigil/bin/pip uninstall --yes setuptools pip

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="CryoVigil" \
      org.opencontainers.image.description="Kafka in, CDS Hooks cards out" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/cryovigil/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/cryovigil /opt/cryovigil
# The only folder that is written to, and only where the database is a SQLite file: the root file
# system may be read-only, with a volume here.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/cryovigil
WORKDIR /var/lib/cryovigil
# A number, so that Kubernetes can check runAsNonRoot without reading /etc/passwd.
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["cryovigil"]
CMD ["serve"]
