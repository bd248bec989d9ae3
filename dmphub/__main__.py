"""Every command of the hub: `dmphub COMMAND`, `python -m dmphub COMMAND` and `manage.py COMMAND` are the same.

A command that needs PostgreSQL or Redis finds them running: those that the environment names, or embedded ones.
"""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from core import audit, environment, extras
from core.audit import Actor
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
    "collectstatic",
    "makemigrations",
}

# the hub's own processes: what they change, the hub changes
RUNNING = {"sweep", "run_imports"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")
    arguments = _arguments(sys.argv)
    try:
        with extras.explained():
            from django.core.management import execute_from_command_line

            with _services(arguments[1:]), _audited(arguments[1:]):
                execute_from_command_line(arguments)
    except environment.InvalidEnvironmentError as wrong:
        sys.exit(f"The environment cannot be used:\n{wrong}")
    except extras.MissingExtraError as missing:
        sys.exit(f"A part of dmphub is missing: {missing}")


def _arguments(words: list[str]) -> list[str]:
    """Returns the command line as Django knows it: `create-api-key` is its `create_api_key`."""
    program, *rest = words
    if program.endswith("__main__.py"):
        program = "dmphub"
    named = 2 if rest[:1] == ["help"] else 1  # `help COMMAND` names a command too
    names = [word if word.startswith("-") else word.replace("-", "_") for word in rest[:named]]
    return [program, *names, *rest[named:]]


def _audited(words: list[str]) -> AbstractContextManager[object]:
    """What a command that somebody typed changes stands in the audit log as changed by it."""
    if not words or words[0] in RUNNING:
        return nullcontext()
    return audit.acting(Actor("command", words[0], door="command line"))


def _services(words: list[str]) -> AbstractContextManager[object]:
    """What has to run during the command: embedded services where the environment names no others.

    Nothing has to for help.
    """
    asks_for_help = not words or not {"-h", "--help", "--version"}.isdisjoint(words)
    if asks_for_help or words[0] in ALONE:
        return nullcontext()
    return embedded.session(environment.read())


if __name__ == "__main__":
    main()
