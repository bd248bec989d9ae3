"""The long tests of faults: `make test-faults` runs them, `make test` does not (`norecursedirs` in pyproject.toml)."""
