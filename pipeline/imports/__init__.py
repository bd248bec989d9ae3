"""Files of profiles: read in bounded memory, appended to the inbox exactly once, giving way to events."""
