"""Readers: one file a source format; text in, table out."""

from .data import loss_beside as loss_beside
from .data import metric_meant as metric_meant
from .data import observations as observations
from .data import table_of as table_of
from .read import read as read
from .registry import FORMATS as FORMATS
