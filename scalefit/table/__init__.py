"""What a results table is: columns, units, checks, wide and long. pandas stops here."""

from . import metrics as metrics
from .build import ALLOWABLE as ALLOWABLE
from .core import Table as Table
from .core import as_table as as_table
from .metrics import METRICS as METRICS
from .metrics import Metric as Metric
from .metrics import metric as metric
from .names import COLUMNS as COLUMNS
from .names import EXTRAS as EXTRAS
from .observations import Observations as Observations
from .observations import cut as cut
from .observations import cut_each as cut_each
from .observations import digest as digest
from .runs import Grouping as Grouping
from .runs import Runs as Runs
from .runs import grouping as grouping
from .runs import runs_of as runs_of
