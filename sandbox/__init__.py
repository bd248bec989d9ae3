"""Pretend third parties: as strict as the documents, holding everything in memory."""
