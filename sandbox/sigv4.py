"""Checking AWS Signature Version 4 in the `Authorization` header of a request."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from sandbox.authentication import secret_of
from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse
from sandbox.parties import ACCOUNT_NAME

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/s3/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
SKEW_SECONDS = 900
UNSIGNED = {"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}


class S3RejectedError(RejectedError):
    """An error in the form of the store: XML with a code."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(status, reason)
        self.code = code

    def response(self) -> SandboxResponse:
        body = f"<Error><Code>{self.code}</Code><Message>{self.reason}</Message></Error>"
        return SandboxResponse(self.status, body.encode(), ((b"content-type", b"application/xml"),))


def signer(request: SandboxRequest) -> str:
    """Return the access key, which is the account's name. Raises `S3RejectedError` if the signature is wrong."""
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise S3RejectedError(403, "AccessDenied", "no signature of version 4")
    account, day, region, names, signature = found.groups()
    if not ACCOUNT_NAME.fullmatch(account):
        raise S3RejectedError(403, "InvalidAccessKeyId", "no such access key")
    when = request.headers.get("x-amz-date", "")
    _check_time(when, day)
    _check_payload(request)
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
    expected = _sign(secret_of(account), (day, region), f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{digest}")
    if not hmac.compare_digest(signature, expected):
        raise S3RejectedError(403, "SignatureDoesNotMatch", "the signature is not that of the request")
    return account


def _check_time(when: str, day: str) -> None:
    try:
        signed = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise S3RejectedError(403, "AccessDenied", "x-amz-date is missing or no time") from error
    if not when.startswith(day) or abs((datetime.now(UTC) - signed).total_seconds()) > SKEW_SECONDS:
        raise S3RejectedError(403, "RequestTimeTooSkewed", "signed at another time")


def _check_payload(request: SandboxRequest) -> None:
    told = request.headers.get("x-amz-content-sha256", "")
    if told not in UNSIGNED and told != hashlib.sha256(request.body).hexdigest():
        raise S3RejectedError(400, "XAmzContentSHA256Mismatch", "x-amz-content-sha256 is not that of the body")


def _canonical(request: SandboxRequest, names: str) -> str:
    signed = names.split(";")
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed):
        raise S3RejectedError(403, "AccessDenied", "host, x-amz-date and x-amz-content-sha256 have to be signed")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    path = quote(unquote(request.path), safe="/-_.~")
    payload = request.headers["x-amz-content-sha256"]
    return "\n".join((request.method, path, _query(request.query), headers, names, payload))


def _query(query: str) -> str:
    pairs = sorted(tuple(map(_encoded, pair.partition("=")[::2])) for pair in query.split("&") if pair)
    return "&".join("=".join(pair) for pair in pairs)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _sign(key: str, scope: tuple[str, str], text: str) -> str:
    derived = f"AWS4{key}".encode()
    for part in (*scope, "s3", "aws4_request"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    return hmac.new(derived, text.encode(), "sha256").hexdigest()
