"""Lookalike audiences in the database: what they stand on, what was learnt for them, what is to be done."""
