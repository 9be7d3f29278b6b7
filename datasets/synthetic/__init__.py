"""Generators of small stand-ins, each in the real on-disk layout of a dataset."""
