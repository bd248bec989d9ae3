"""The hub as a whole: its settings, programs and commands."""

from core import garbage

garbage.import_quickly()
