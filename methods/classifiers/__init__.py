"""Classifiers: labelled images to labels."""
