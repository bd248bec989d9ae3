"""What platforms can be connected to, and what each connector can do."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse

from console.cells import mono, table
from console.components import page
from integrations import matrix


@permission_required("integrations.view_platform", raise_exception=True)
def connectors(request: HttpRequest) -> HttpResponse:
    rows = [(title, mono(key), *rest) for title, key, *rest in matrix.rows()]
    return page(request, "connectors.html", "Connectors", table=table(matrix.COLUMNS, rows))
