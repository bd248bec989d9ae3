"""Recorded payloads: files beside the tests that use them; each folder's README.md says where they come from."""

from pathlib import Path

from integrations.http import Request, Response

HERE = Path(__file__).parent


def payload(connector: str, name: str) -> bytes:
    """The file, without the line end that editors leave."""
    return (HERE / connector / name).read_bytes().removesuffix(b"\n")


def answer(connector: str, name: str, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, payload(connector, name))


def written(request: Request) -> bytes:
    """The request as the recordings have it: method and address, and the body on a line of its own."""
    return f"{request.method} {request.url}".encode() + (b"" if request.body is None else b"\n" + request.body)
