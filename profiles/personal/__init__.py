"""Personal data in clear: found by patterns that are checked, hashed or refused before it is kept anywhere."""
