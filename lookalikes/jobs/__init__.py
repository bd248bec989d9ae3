"""Training and scoring lookalikes: the jobs of a process that is started when one is due, and ends when none is."""
