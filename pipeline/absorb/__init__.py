"""Inbox → profile → memberships → deliveries, in one transaction a batch."""
