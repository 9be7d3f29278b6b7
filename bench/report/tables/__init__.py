"""Leaderboards and tables: their numbers, their tests, and the formats they are written in."""
