"""Scaling laws: one law a file, each a frozen value."""
