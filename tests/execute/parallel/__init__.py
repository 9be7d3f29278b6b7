"""Adapters for the tests of GPUs and of trainings in several processes."""
