"""The encrypted connection below SFTP: which algorithms are offered, and what to say where nothing fits."""

from collections.abc import Mapping
from typing import Any

import paramiko
from paramiko.message import Message

_OLD = "ssh-rsa, diffie-hellman-group1-sha1 and other algorithms with SHA-1 are not offered, because they are broken."
_MOST_SHOWN = 8
_LIBRARYS: Any = paramiko.Transport  # of which parts are used that its types do not name
_SAME_KEY = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""How signatures of a key are called, where that is not how the key is called (RFC 8332)."""


class UploadTransport(paramiko.Transport):
    """`offered`: what the server offers, in words, once it has said so."""

    # by RFC 8731, the name that came after OpenSSH's own; some servers know only this one
    _preferred_kex: tuple[str, ...] = ("curve25519-sha256", *_LIBRARYS._preferred_kex)
    _kex_info: Mapping[str, Any] = {
        **_LIBRARYS._kex_info,
        "curve25519-sha256": _LIBRARYS._kex_info["curve25519-sha256@libssh.org"],
    }
    _preferred_keys: tuple[str, ...] = _LIBRARYS._preferred_keys

    offered = ""

    def prefer_key_of(self, line: str) -> None:
        """Ask for the kind of host key that the server is known by: it may have several, newer ones among them."""
        for kind in line.split():
            wanted = [name for name in _SAME_KEY.get(kind, (kind,)) if name in self._preferred_keys]
            if wanted:
                self._preferred_keys = (*wanted, *(one for one in self._preferred_keys if one not in wanted))
                return

    def _parse_kex_init(self, message: Message) -> Any:
        said = _LIBRARYS._really_parse_kex_init(self, message)
        message.rewind()
        keys, exchanges = said["server_key_algo_list"], said["kex_algo_list"]
        self.offered = (
            f"The server offers host keys of {_shown(keys)}, and the exchanges {_shown(exchanges)}. The hub offers"
            f" {', '.join(self._preferred_keys)}; {', '.join(self._preferred_kex)}. {_OLD}"
        )
        return _LIBRARYS._parse_kex_init(self, message)


def _shown(names: list[str]) -> str:
    shown = ["".join(sign for sign in name[:60] if sign.isprintable()) for name in names[:_MOST_SHOWN]]
    return ", ".join(shown) or "nothing"
