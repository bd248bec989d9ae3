"""How single variables of the environment are read. Faults are kept by `env`, which tells all of them at once."""

from collections.abc import Callable

from environs import Env, ValidationError


def flag(env: Env, name: str) -> bool:
    def check(value: str) -> None:
        if value not in {"", "0", "1"}:
            raise ValidationError("must be 1 or 0")

    return env.str(name, "", validate=check) == "1"


def whole_number(env: Env, name: str, default: int, allowed: Callable[[str], object], fault: str) -> int:
    """Read a number as `allowed` says how it may be written, and `fault` how it may not. Unset: the default."""

    def check(value: str) -> None:
        if value and not allowed(value):
            raise ValidationError(fault)

    text = env.str(name, "", validate=check) or ""
    return int(text) if allowed(text) else default
