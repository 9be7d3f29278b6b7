"""The benchmark for grouping microscopy images without labels."""
