"""Who is calling: every account's secret is `<account>-secret`, compared in constant time."""

import base64
import binascii
import hmac

from sandbox.exchange import RefusedError
from sandbox.parties import ACCOUNT_NAME

CHALLENGE = ((b"www-authenticate", b'Basic realm="sandbox"'),)


def secret(account: str) -> str:
    return f"{account}-secret"


def knows(account: str, given: str) -> bool:
    """Whether it is an account's name with its secret."""
    fits = hmac.compare_digest(given.encode(errors="surrogateescape"), secret(account).encode(errors="surrogateescape"))
    return fits and ACCOUNT_NAME.fullmatch(account) is not None


def basic_account(header: str) -> str:
    """The account of a basic `Authorization`; Refused (401) when it names none, or with a wrong password."""
    account, password = _credentials(header)
    if not knows(account, password):
        raise RefusedError(401, "basic authentication with <account>:<account>-secret", headers=CHALLENGE)
    return account


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
