"""The alignment diagnostic: tell a corpus that helps from one of which only cross-entropy says so."""

from .align import align as align
from .monitor import Watch as Watch
from .monitor import WatchTable as WatchTable
from .monitor import monitor as monitor
from .result import Alignment as Alignment
from .result import AlignmentTable as AlignmentTable
from .verdicts import VERDICTS as VERDICTS
from .verdicts import Verdict as Verdict
