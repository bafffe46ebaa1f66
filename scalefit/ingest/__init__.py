"""Readers: one file a source format; text in, table out."""

from .read import read as read
from .registry import FORMATS as FORMATS
