"""Pixels: from image files to prepared arrays, and back to pictures for people."""
