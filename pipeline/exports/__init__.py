"""Exports: the members of an audience with chosen attributes, as a download or as a file on a schedule."""
