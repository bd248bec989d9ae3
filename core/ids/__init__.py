"""Ids by which others name users: which of them name nobody, and which spellings are one id.

No Django here: the edge asks on every request.
"""
