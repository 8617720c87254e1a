# avtca serve: a slim image with the weights inside. See docs/serve.md.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --constraint constraints.txt --wheel-dir /wheels '.[serve]'

FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'avtca[serve]' \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin avtca \
    && install -d -o avtca -m 700 /data
ENV AVTCA_CACHE=/tmp/avtca \
    AVTCA_SERVE_DATA=/data \
    AVTCA_SERVE_HOST=0.0.0.0 \
    AVTCA_SERVE_PORT=8000 \
    AVTCA_SERVE_TOKEN_FILE=/run/secrets/avtca_tokens \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["avtca", "serve"]
