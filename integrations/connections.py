"""The connections under outgoing HTTP: to a checked address, and shut down when the deadline of the exchange is over.

A name is resolved and checked, and the connection goes to the checked address. `under` says which deadline holds for
what the present thread sends.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests_hardened import Config, Manager
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from integrations import addresses
from integrations.addresses import CONNECT_SECONDS, is_public
from integrations.deadline import Deadline

MOST_INFORMATION = 100

_present = threading.local()


@contextmanager
def under(deadline: Deadline) -> Iterator[None]:
    """Have the deadline hold for what this thread sends in the block."""
    _present.deadline = deadline
    try:
        yield
    finally:
        del _present.deadline


def open_socket(connection: HTTPConnection, host: str, deadline: Deadline) -> socket.socket:
    """Connect to where the connection leads. Raises as `addresses.connect` does."""
    connected = addresses.connect(host.strip("[]"), connection.port or connection.default_port, deadline)
    for option in connection.socket_options or ():
        connected.setsockopt(*option)
    return connected


def _begin(connection: HTTPConnection) -> None:
    """Called right before a request: a kept connection is watched anew."""
    deadline: Deadline = _present.deadline
    if connection.sock is not None:
        deadline.watch(connection.sock)
    deadline.sending = True


class _FinalAnswer(http.client.HTTPResponse):
    """Reads past answers that only inform (RFC 9110 § 15.2): 103 and its like. The library knows 100 only."""

    def begin(self) -> None:
        again: Any = self
        for _ in range(MOST_INFORMATION):
            super().begin()
            if not 100 < self.status < 200 or self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return
            again.headers = again.msg = None  # so that the next one is read
        raise http.client.HTTPException("too many answers that only inform")


class _Http(HTTPConnection):
    """A connection that the present deadline ends."""

    response_class = _FinalAnswer

    def _new_conn(self) -> socket.socket:
        return open_socket(self, self._dns_host, _present.deadline)

    def request(self, *given: Any, **more: Any) -> None:
        _begin(self)
        super().request(*given, **more)


class _Https(HTTPSConnection):
    """The same with TLS."""

    response_class = _FinalAnswer

    def _new_conn(self) -> socket.socket:
        return open_socket(self, self._dns_host, _present.deadline)

    def request(self, *given: Any, **more: Any) -> None:
        _begin(self)
        super().request(*given, **more)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS


class _Guard(IPFilterAdapter):
    """Pins the address that was checked, also by the hub's own list. The name is looked up before the deadline."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def build_connection_pool_key_attributes(self, *given: Any, **more: Any) -> Any:
        pin = partial(super().build_connection_pool_key_attributes, *given, **more)
        host, options = _present.deadline.wait_for(pin)
        if not is_public(host["host"].strip("[]")):
            raise InvalidIPAddress(host["host"])
        return host, options


def guarded_session(*, allow_private: bool) -> requests.Session:
    """Return a session for the present thread that calls checked addresses only and follows no redirects."""
    config = Config(
        ip_filter_enable=not allow_private,
        ip_filter_allow_loopback_ips=False,
        never_redirect=True,
        default_timeout=(CONNECT_SECONDS, CONNECT_SECONDS),
        user_agent_override="dmphub",
    )
    session: requests.Session = Manager(config).get_session()
    session.trust_env = False
    for scheme, is_https in (("https://", True), ("http://", False)):
        session.mount(scheme, _Adapter() if allow_private else _Guard(is_https_proto=is_https))
    return session
