"""What `metrics` holds, as its readers may rely on it: records, sums, builds; and what a figure is."""
