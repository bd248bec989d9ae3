"""Trains lookalike models. The only place that imports numpy, scipy and scikit-learn: they are large, so only the
process that trains, which ends when it is done, may import this. No Django, no database.
"""
