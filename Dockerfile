# The harness in an image: `docker build --tag endpoint-harness .`, with extras as in
# `--build-arg EXTRAS=s3,otel`. Base images are pinned by tag, packages by constraints.txt.
FROM python:3.11.14-slim-bookworm AS build
ARG EXTRAS=""
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE providers.yaml ./
COPY harness ./harness
COPY tasks ./tasks
COPY dashboard ./dashboard
RUN python -m venv /opt/harness \
    && /opt/harness/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="endpoint-harness" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /scratch --shell /usr/sbin/nologin harness \
    && install --directory --owner=10001 --group=10001 /results /scratch /project
COPY --from=build /opt/harness /opt/harness
ENV PATH=/opt/harness/bin:$PATH \
    HARNESS_RESULTS=/results \
    HOME=/scratch \
    XDG_CACHE_HOME=/scratch/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /project
VOLUME /results
ENTRYPOINT ["harness"]
CMD ["--help"]
