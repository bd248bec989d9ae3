"""Uploading files to platforms: by SFTP, into a folder of the hub, or into an S3-compatible store."""
