"""Runs stages in separate processes."""
