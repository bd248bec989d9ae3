#!/usr/bin/env python
"""Every command of the hub."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from core import environment
from local import embedded

# these bring their own services, or need none
ALONE = {
    "up",
    "demo",
    "sandbox",
    "sweep",
    "run_imports",
    "prepare",
    "help",
    "--help",
    "--version",
    "collectstatic",
    "makemigrations",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")
    try:
        services = _services(sys.argv[1] if len(sys.argv) > 1 else "help")
        from django.core.management import execute_from_command_line

        with services:
            execute_from_command_line(sys.argv)
    except environment.InvalidEnvironmentError as wrong:
        sys.exit(f"The environment cannot be used:\n{wrong}")


def _services(command: str) -> AbstractContextManager[object]:
    """What has to run for the command: the hub's own services, where no others are named."""
    return nullcontext() if command in ALONE else embedded.session(environment.read())


if __name__ == "__main__":
    main()
