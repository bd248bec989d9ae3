# One image for every part of the hub; docker-compose.yml says which part a container runs.
FROM python:3.13-slim AS build

WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .


FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DMPHUB_HOME=/var/lib/dmphub

WORKDIR /srv/dmphub

# What a hub needs at run time, and neither tools nor embedded services.
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock

COPY --from=build /wheels /wheels
RUN pip install --no-deps --no-index /wheels/*.whl && rm -r /wheels

# In a home of its own, whose generated keys are thrown away.
RUN DMPHUB_HOME=/tmp/build dmphub collectstatic --noinput --verbosity 0 \
    && mkdir -p "$DMPHUB_HOME/imports" "$DMPHUB_HOME/files" \
    && mv /tmp/build/static "$DMPHUB_HOME/static" \
    && rm -rf /tmp/build \
    && useradd --system --user-group --no-create-home --home-dir "$DMPHUB_HOME" dmphub \
    && chown -R dmphub:dmphub "$DMPHUB_HOME"

USER dmphub
EXPOSE 8000 8001
CMD ["python", "-m", "dmphub.edge_server", "--host", "0.0.0.0", "--port", "8001"]
