"""A small OpenID Connect provider: real HTTP, and strict about state, nonce and PKCE. One person is logged in there."""

import hashlib
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET, KID = "dmphub-console", "client-secret-of-the-hub", "k1"
NEEDED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")


class OpenIdProvider:
    """`claims`: of the person who is logged in; `forged`: what the id_token says instead; `signer`: another key."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.claims: dict[str, Any] = {"sub": "u-1", "email": "ann@example.org", "preferred_username": "ann"}
        self.forged: dict[str, Any] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.signer = self.key
        self.refusals: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def configuration(self) -> dict[str, Any]:
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": KID, "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str | None:
        """Where the person is sent back to; None where the request breaks a rule."""
        missing = [name for name in NEEDED if not asked.get(name)]
        wrong = [
            *(f"no {name}" for name in missing),
            *(["client"] if asked.get("client_id") != CLIENT else []),
            *(["redirect_uri"] if asked.get("redirect_uri") != self.redirect_uri else []),
            *(["PKCE without S256"] if asked.get("code_challenge_method") != "S256" else []),
            *(["response_type"] if asked.get("response_type") != "code" else []),
            *(["scope"] if "openid" not in asked.get("scope", "").split() else []),
        ]
        if wrong:
            self.refusals += wrong
            return None
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: dict[str, str]) -> dict[str, Any] | None:
        """Each code serves once, and only with the secret behind its challenge."""
        asked = self._codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = (given.get("client_id"), given.get("client_secret"))
        if asked is None or client != (CLIENT, SECRET) or challenge != asked["code_challenge"]:
            self.refusals.append("token")
            return None
        now, access = int(time.time()), secrets.token_urlsafe()
        self._tokens.add(access)
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        signed = {**claims, **self.claims, **self.forged}
        id_token = jwt.encode(signed, self.signer, "RS256", {"kid": KID})
        return {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": id_token}

    def knows(self, authorization: str) -> bool:
        return authorization.removeprefix("Bearer ") in self._tokens


def _handler(provider: OpenIdProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                onward = provider.authorize(dict(parse_qsl(parts.query)))
                self._send(302 if onward else 400, {}, Location=onward or "")
            elif parts.path == "/userinfo":
                known = provider.knows(self.headers.get("Authorization", ""))
                self._send(200 if known else 401, provider.claims if known else {})
            else:
                pages = {"/.well-known/openid-configuration": provider.configuration, "/keys": provider.keys}
                self._send(200, pages[parts.path]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._send(200 if found else 400, found or {"error": "invalid_grant"})

        def _send(self, status: int, body: Any, **headers: str) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Tests read what they need from the provider."""

    return Handler
