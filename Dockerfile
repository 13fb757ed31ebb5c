# Where no Docker engine is at hand, scripts/image-steps goes through the steps of this file.
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.py pyproject.toml README.md LICENSE ./
COPY kiro2api ./kiro2api
COPY twisted ./twisted
# What else is installed: documents, postgres, or both with a comma between.
ARG EXTRAS=
# A virtual environment can be copied whole, so that no wheel is left in the image.
RUN pip wheel --no-cache-dir --wheel-dir /wheels ".${EXTRAS:+[$EXTRAS]}" \
    && python -m venv --without-pip /opt/kiro2api \
    && pip --python /opt/kiro2api/bin/python install --no-cache-dir --no-index \
        --find-links=/wheels "kiro2api${EXTRAS:+[$EXTRAS]}"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /home/kiro2api kiro2api \
    && mkdir -p /data && chown kiro2api:kiro2api /data && chmod 0700 /data
COPY --from=build /opt/kiro2api /opt/kiro2api
ENV PATH=/opt/kiro2api/bin:$PATH
# The plugin cache is written once here, since the service may not write to its installation.
RUN twistd --help >/dev/null
ENV KIRO_DB_PATH=/data/kiro2api.db \
    PORT=8080 \
    PYTHONUNBUFFERED=1
USER kiro2api
WORKDIR /data
VOLUME /data
EXPOSE 8080
# Not with urllib, which would ask the proxy of the environment for it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["sh", "-c", "exec python -c \"import http.client,sys; c=http.client.HTTPConnection('127.0.0.1',int(sys.argv[1]),timeout=4); c.request('GET','/health'); sys.exit(c.getresponse().status!=200)\" \"${PORT}\""]
# Running answers get 30 seconds to finish: docker stop --time 40.
STOPSIGNAL SIGTERM
# Inside a container every interface is the container's own; a client key is required for it.
CMD ["sh", "-c", "listen=\"tcp:${PORT}:backlog=1024\"; unset PORT; exec twistd --nodaemon --pidfile= kiro2api --listen \"$listen\""]
