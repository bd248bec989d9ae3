"""A customer's view of the hub: its REST API, and nothing else."""

from typing import Any

import requests

from local.demo.errors import ApiError

TIMEOUT_SECONDS = 30.0


class Api:
    """Calls below `/api/v1/`."""

    def __init__(self, console_url: str, key: str) -> None:
        self._base = f"{console_url}/api/v1/"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, /, **fields: Any) -> Any:
        return self._call("POST", path, fields)

    def _call(self, method: str, path: str, body: Any) -> Any:
        response = self._session.request(method, self._base + path, json=body, timeout=TIMEOUT_SECONDS)
        if not response.ok:
            raise ApiError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()
