"""Stages run in processes of their own."""
