"""Before training: how near a corpus is to a task. Context beside a verdict, never its substitute."""

from .score import SCORES as SCORES
from .score import Score as Score
from .score import Similarity as Similarity
from .score import SimilarityReport as SimilarityReport
from .score import similarity as similarity
from .score import similarity_report as similarity_report
