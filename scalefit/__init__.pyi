from .analysis.seeds.variance import variance as variance
from . import errors as errors
from .ingest import read as read
from .table import Table as Table
from .table import as_table as as_table
from .table import observations as observations
__version__: str
