"""Per platform and lane: claim due rows, send with no transaction open, record the outcome per row."""
