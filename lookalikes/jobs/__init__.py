"""Learning and scoring lookalikes: the work of a process that is started when there is some, and ends with it."""
