# One image for every part of the hub; docker-compose.yml says which part a container runs.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DMPHUB_HOME=/var/lib/dmphub

WORKDIR /srv/dmphub

COPY requirements.lock ./
RUN pip install --requirement requirements.lock

# Named one by one, so that no .env, data or key of the build machine ends up in the image.
COPY manage.py pyproject.toml ./
COPY templates templates
COPY edge edge
COPY integrations integrations
COPY usersync usersync
COPY profiles profiles
COPY audiences audiences
COPY activation activation
COPY pipeline pipeline
COPY sandbox sandbox
COPY dmphub dmphub

# In a home of its own, whose generated keys are thrown away.
RUN DMPHUB_HOME=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && mkdir -p "$DMPHUB_HOME/imports" \
    && mv /tmp/build/static "$DMPHUB_HOME/static" \
    && rm -rf /tmp/build \
    && useradd --system --user-group --no-create-home --home-dir "$DMPHUB_HOME" dmphub \
    && chown -R dmphub:dmphub "$DMPHUB_HOME"

USER dmphub
EXPOSE 8000 8001
CMD ["python", "-m", "dmphub.edge_server", "--host", "0.0.0.0", "--port", "8001"]
