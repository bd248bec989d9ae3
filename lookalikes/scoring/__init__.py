"""Scores how much a user is like the members of a seed. Pure: no Django, no database, no scikit-learn.

fields = (FeatureField(…), …)                      # what of a profile is looked at, and how
slots = reader(fields)(subject, now_ms)     # the features a profile has, as numbers of slots
model = decode_model(content)               # what was learnt: a weight for each slot
score = scorer(model)(subject, now_ms)      # the same number wherever it is worked out
"""
