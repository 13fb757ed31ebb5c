# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.py pyproject.toml README.md LICENSE ./
COPY kiro2api ./kiro2api
COPY twisted ./twisted
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /home/kiro2api kiro2api \
    && mkdir -p /data && chown kiro2api:kiro2api /data && chmod 0700 /data
COPY --from=build /wheels /wheels
# The plugin cache is written once here, since the service may not write to site-packages.
RUN pip install --no-cache-dir --no-index --find-links=/wheels kiro2api && rm -rf /wheels \
    && twistd --help >/dev/null
ENV KIRO_DB_PATH=/data/kiro2api.db \
    PORT=8080 \
    PYTHONUNBUFFERED=1
USER kiro2api
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["sh", "-c", "exec python -c \"import sys,urllib.request as u; sys.exit(u.urlopen('http://127.0.0.1:'+sys.argv[1]+'/health',timeout=4).status!=200)\" \"${PORT}\""]
STOPSIGNAL SIGTERM
# Inside a container every interface is the container's own; a client key is required for it.
CMD ["sh", "-c", "exec twistd --nodaemon --pidfile= kiro2api --listen \"tcp:${PORT}\""]
