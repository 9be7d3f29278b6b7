"""What the standard library lacks. Knows nothing of datasets, methods or suites."""
