"""Readers: one file a source format; text in, table out."""
