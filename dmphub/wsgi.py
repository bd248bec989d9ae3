"""The private door: console and REST API."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from dmphub.doors import bound_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")

application = get_wsgi_application()
bound_statements(settings.DATABASES["default"], settings.DOOR_STATEMENT_SECONDS)
