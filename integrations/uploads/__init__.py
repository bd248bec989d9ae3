"""Bringing files to platforms: by SFTP, into a folder of the hub's own, into an S3-compatible store."""
