"""Measured results that come with the package."""

from .lab import transfer_lab as transfer_lab
