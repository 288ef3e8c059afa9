"""foretell beside its peers and its limits, measured in one run: `python -m benchmarks`, or `make bench`.

Nothing is asserted: each benchmark reports what it measured, and `docs/benchmarks.md` is what a run wrote.
"""
