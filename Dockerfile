# The platform in one image: API, worker, and the command line. Not built by this project's checks, which have no container
# engine; `hadolint` reads this file (tests/unit/deploy). Build it with:  docker build -t mixpeek .
#
# Plugins run in a sandbox (bubblewrap), which needs unprivileged user namespaces. Container runtimes forbid them by their
# default profiles: deploy/compose.yaml and deploy/helm say what to allow. Without it the server starts, refuses to run
# plugins, and says why at /v1/health.
FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src ./src
COPY examples ./examples
ARG EXTRAS=server,otel,ray
RUN python -m venv /opt/mixpeek \
    && /opt/mixpeek/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home mixpeek \
    && install --directory --owner=mixpeek --mode=0700 /data
COPY --from=build /opt/mixpeek /opt/mixpeek
ENV PATH=/opt/mixpeek/bin:$PATH \
    MIXPEEK_DATA_DIR=/data \
    MIXPEEK_HOST=0.0.0.0 \
    MIXPEEK_LOG_FORMAT=json
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# A container that runs a worker alone has no port: turn this off there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v1/health', timeout=4)"]
ENTRYPOINT ["mixpeek"]
CMD ["serve"]
