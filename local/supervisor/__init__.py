"""Runs the hub's processes in the foreground and keeps each of them running."""
