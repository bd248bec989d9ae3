"""Pretend third parties. They are as strict as the documents, keep everything in memory, and do not know the hub."""
