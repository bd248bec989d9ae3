"""The addresses of the console and the REST API. Static files are served by granian (`console_server`)."""

from django.contrib import admin
from django.urls import include, path

from console.health import healthz, readyz

admin.autodiscover()

handler400 = "console.health.bad_request"
urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("api/v1/", include("api.addresses")),
    path("", include("console.log_in_addresses")),
    path("", include("console.addresses")),
    path("", admin.site.urls),
]
