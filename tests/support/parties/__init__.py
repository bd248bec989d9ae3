"""Strict stand-ins for the platforms, written from their documents: `python -m tests.support.parties` is the sandbox
with these beside its own third parties."""
