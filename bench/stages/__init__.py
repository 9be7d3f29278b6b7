"""The stages of a cell, scoring, and access to finished cells."""
