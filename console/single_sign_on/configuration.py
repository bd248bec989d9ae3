"""allauth's setting for the provider that the environment names. The settings import this: no models here."""

from typing import Any

from core.console_environment import SingleSignOn

ID = "sso"


def providers(provider: SingleSignOn | None) -> dict[str, Any]:
    """Return the value of SOCIALACCOUNT_PROVIDERS."""
    if provider is None:
        return {}
    app = {
        "provider_id": ID,
        "name": provider.name,
        "client_id": provider.client_id,
        "secret": provider.client_secret,
        "settings": {"server_url": provider.issuer},
    }
    return {ID: {"APPS": [app]}}
