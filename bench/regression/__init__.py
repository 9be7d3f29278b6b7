"""What got worse or better between two runs of a suite, or since earlier nights."""
