"""Shared code of learners that need no neural network."""
