"""Decisions from fits and tables: one question a file."""
