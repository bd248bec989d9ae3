"""The private door: console and REST API."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")

application = get_wsgi_application()
