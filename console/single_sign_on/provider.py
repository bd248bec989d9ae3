"""The provider as allauth calls it: OpenID Connect with state, PKCE and a nonce, all three always checked.

The nonce is derived from the secret of PKCE, which stays in the session: a token that was made for another log-in does
not fit, and nothing more needs to be kept.
"""

import hashlib
from hmac import compare_digest
from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from requests import RequestException

from console.single_sign_on.configuration import ID

SIGNATURES = ("RS", "PS", "ES", "Ed")  # what a provider signs with a key of its own


def nonce_of(code_verifier: str) -> str:
    return hashlib.sha256(f"nonce:{code_verifier}".encode()).hexdigest()


class SingleSignOnAdapter(OpenIDConnectOAuth2Adapter):
    """Trusts an identity only by a signed token that was made for this log-in."""

    def get_access_token_data(self, request: HttpRequest, app: Any, client: Any, pkce_code_verifier: Any = None) -> Any:
        self._nonce = nonce_of(pkce_code_verifier or "")
        return super().get_access_token_data(request, app, client, pkce_code_verifier)

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("The provider sent no id_token.")
        login = super().complete_login(request, app, token, **kwargs)
        data = login.account.extra_data
        if data.get("userinfo", {}).get("sub") != data["id_token"].get("sub"):
            raise OAuth2Error("The id_token and the user's details name different people.")
        return login

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        if not jwtkit.jwt.get_unverified_header(id_token).get("alg", "").startswith(SIGNATURES):
            raise OAuth2Error("The id_token is not signed by a key of the provider.")
        claims: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )
        if not compare_digest(str(claims.get("nonce", "")).encode(), self._nonce.encode()):
            raise OAuth2Error("The id_token was made for another log-in.")
        return claims

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return str(build_absolute_uri(request, reverse("sso_callback")))


class SingleSignOnProvider(OpenIDConnectProvider):
    id = ID
    name = "single sign-on"
    oauth2_adapter_class = SingleSignOnAdapter
    pkce_enabled_default = True

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("sso_login")

    def get_callback_url(self) -> str:
        return reverse("sso_callback")

    def get_auth_params_from_request(self, request: HttpRequest, action: Any) -> dict[str, Any]:
        """Nothing in the address of the console changes what the provider is asked."""
        return dict(self.get_auth_params())

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return list(self.get_scope())

    def get_pkce_params(self) -> dict[str, str]:
        found: dict[str, str] = super().get_pkce_params()
        return {**found, "nonce": nonce_of(found["code_verifier"])}

    def redirect(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().redirect(request, *args, **kwargs)
        except RequestException as error:
            answer = render_authentication_error(request, self, exception=error)
        return answer


provider_classes = [SingleSignOnProvider]
