"""The version, below everything that signs its answers with it."""

__version__ = "0.1.0"
