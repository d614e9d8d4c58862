"""Consolidated views: pure functions from what `metrics` holds to what is answered."""
