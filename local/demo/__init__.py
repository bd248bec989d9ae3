"""The demonstration: real purchases through a whole hub of its own, and what its platforms hold afterwards.

What should come of it (`audiences`, `verdict`) is computed from the purchase log alone, never from the hub.
"""
