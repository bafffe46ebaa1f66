"""The alignment diagnostic: tell a corpus that helps from one of which only cross-entropy says so."""

from .align import align as align
from .family import AlignmentTable as AlignmentTable
from .monitor import monitor as monitor
from .result import Alignment as Alignment
from .verdict import VERDICTS as VERDICTS
from .watch import Watch as Watch
from .watch import WatchTable as WatchTable
