"""Layouts on disk and tables that the readers of datasets share."""
