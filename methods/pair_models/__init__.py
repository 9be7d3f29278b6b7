"""Pair models: images to join probabilities."""
