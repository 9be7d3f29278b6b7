"""Reducers: features to fewer features."""
