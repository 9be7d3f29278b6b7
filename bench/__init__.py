"""The benchmark for grouping microscopy images without labels."""

from bench.adapters import aliases

aliases.install()
