"""Sync templates, compiled once: the URL to which a browser is sent to be matched on a platform. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import quote

from integrations.sync_templates import CALLBACKS, Macro, MacroName, Part, parse
from usersync.consent import Signals


@dataclass(frozen=True, slots=True)
class SyncUrlContext:
    """What a template is filled with. `suffix`: the signals as they follow the callback's own parameters."""

    user: str
    signals: Signals
    suffix: str


Render = Callable[[SyncUrlContext], str]


class SyncUrl:
    """A platform's template with everything filled in, except what each request brings."""

    __slots__ = ("_parts",)

    def __init__(self, template: str, edge_url: str, pl: int, token: str | None) -> None:
        """`token`: what the callback carries; None where the platform signs."""
        self._parts = _Compiler(edge_url, pl, token).compile(parse(template))

    def of(self, user: str, signals: Signals) -> bytes:
        """Returns the URL for one user; `signals` are passed on unmodified, to the platform and to our callback."""
        suffix = "".join(f"&{name}={_encoded(value)}" for name, value in signals.items())
        context = SyncUrlContext(user, signals, suffix)
        return "".join([part if isinstance(part, str) else part(context) for part in self._parts]).encode("ascii")


class _Compiler:
    def __init__(self, edge_url: str, pl: int, token: str | None) -> None:
        self._base = f"{edge_url}/uid?userid="
        self._pl = pl
        self._token = token

    def compile(self, parts: list[Part]) -> list[str | Render]:
        last = _end_of_written_callback(parts)
        found: list[str | Render] = []
        before = ""
        for index, part in enumerate(parts):
            found += [part] if isinstance(part, str) else self._filled(part, before)
            if index == last:
                found.append(_suffix_encoded if _is_encoded(before) else _suffix)
            before = part if isinstance(part, str) else ""
        return found

    def _filled(self, macro: Macro, before: str) -> list[str | Render]:
        if macro.name in CALLBACKS:
            return self._callback(macro)
        if macro.name is MacroName.SIGNAL:
            return [lambda context: _encoded(context.signals.get(macro.argument, ""))]
        if macro.name is MacroName.USER:
            return [lambda context: context.user]
        if macro.name is MacroName.CACHEBUSTER:
            return [lambda _: token_hex(6)]
        if macro.name is MacroName.PLATFORM:
            return [str(self._pl)]
        token = _encoded(self._token or "")
        return [_encoded(token) if _is_encoded(before) else token]

    def _callback(self, macro: Macro) -> list[str | Render]:
        token = "" if self._token is None else f"&plsec={_encoded(self._token)}"
        address = f"{self._base}{macro.argument}&pl={self._pl}{token}"
        if macro.name is MacroName.CALLBACK_RAW:
            return [address, _suffix]
        return [_encoded(address), _suffix_encoded]


def _end_of_written_callback(parts: list[Part]) -> int | None:
    """The last part that we fill in a callback that is written out: the signals may follow it."""
    names = [None if isinstance(part, str) else part.name for part in parts]
    if not CALLBACKS.isdisjoint(names):
        return None
    ours = [index for index, name in enumerate(names) if name in {MacroName.PLATFORM, MacroName.TOKEN}]
    return ours[-1] if ours else None


def _is_encoded(before: str) -> bool:
    """Whether what follows this text is inside a percent-encoded address."""
    return before.lower().endswith("%3d")


def _suffix(context: SyncUrlContext) -> str:
    return context.suffix


def _suffix_encoded(context: SyncUrlContext) -> str:
    return _encoded(context.suffix)


def _encoded(text: str) -> str:
    return quote(text, safe="")
