"""What is under way, refreshed while it is looked at."""

from django.http import HttpRequest, HttpResponse

from dmphub.console.dashboard import figures
from edge.console import page
from pipeline import quiet


def pipeline(request: HttpRequest) -> HttpResponse:
    busy = any(quiet.counts().values())
    return page(request, "pipeline.html", "Pipeline", figures=figures(), busy=busy)
