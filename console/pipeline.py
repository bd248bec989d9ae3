"""What is under way, refreshed while it is looked at."""

from django.http import HttpRequest, HttpResponse

from console.components import page
from console.dashboard import figures
from pipeline import backlog


def pipeline(request: HttpRequest) -> HttpResponse:
    busy = any(backlog.counts().values())
    return page(request, "pipeline.html", "Pipeline", figures=figures(), busy=busy)
