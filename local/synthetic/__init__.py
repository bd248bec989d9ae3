"""People who never were: profiles by the million that look like a shop's, for trying things out at size."""
