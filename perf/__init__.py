"""Benchmarks for asv: `tox -e asv`."""
