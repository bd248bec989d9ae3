"""What one event may say: its data, its dimensions, its ids and its time.

These modules read and check what a sender gave. They are used by every door that takes events (`/dp`, batches,
imports, match tables), so they know neither HTTP nor the database.
"""
