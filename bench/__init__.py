"""Benchmarks: every figure a ratio of things measured side by side in one run. `make bench` runs them all."""
