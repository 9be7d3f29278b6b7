"""Clusterers: features or join probabilities to labels."""
