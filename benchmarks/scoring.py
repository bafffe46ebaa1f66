"""Bootstrap of many systems: sacreBLEU's loop and one multiplicity matrix, side by side.

Both run in this process on the same statistics of the same texts, so the ratio does not depend on
how busy the machine is. Run it with::

    python benchmarks/scoring.py [--systems 20] [--segments 3000]
"""

from __future__ import annotations

import argparse
import json
import random
import time

import numpy as np
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import _bootstrap_resample

from scalefit.scoring.bootstrap import Bootstrap, redrawn
from scalefit.scoring.sacre import SacreSpec, Scorer
from scalefit.scoring.statistics import SegmentStatistics, compact, stack

RESAMPLES = 1000
VOCABULARY = [f"word{i}" for i in range(2000)]


def texts(segments: int, systems: int) -> tuple[list[str], list[list[str]]]:
    """Return references and ever worse copies of them."""
    rng = random.Random(0)
    references = [" ".join(rng.choices(VOCABULARY, k=rng.randint(5, 30))) for _ in range(segments)]
    rates = np.linspace(0.1, 0.7, systems)
    return references, [[worse(line, rate, rng) for line in references] for rate in rates]


def worse(line: str, rate: float, rng: random.Random) -> str:
    """Replace a share of the words."""
    return " ".join(w if rng.random() > rate else rng.choice(VOCABULARY) for w in line.split())


def timed(kept: SegmentStatistics) -> tuple[float, Bootstrap]:
    """Return the CPU seconds of one bootstrap of all systems, and its scores."""
    start = time.process_time()
    drawn = redrawn(kept, RESAMPLES)
    return time.process_time() - start, drawn


def compare(metric: str, references: list[str], systems: list[list[str]]) -> dict[str, float]:
    """Time both ways on one metric; return times, their ratio and the largest difference."""
    scorer = Scorer(SacreSpec(metric), [references])
    rows = [scorer.statistics(lines) for lines in systems]
    names = tuple(map(str, range(len(systems))))
    values = stack([compact(row) for row in rows])
    kept = SegmentStatistics(metric, "", names, values, scorer.kind, scorer.options)
    ours, drawn = min((timed(kept) for _ in range(3)), key=lambda found: found[0])
    theirs_metric = {"bleu": BLEU, "chrf": CHRF}[metric]()
    start = time.process_time()
    looped = [_bootstrap_resample(row.tolist(), theirs_metric, RESAMPLES)[1] for row in rows]
    theirs = time.process_time() - start
    expected = np.array([[score.score for score in scores] for scores in looped])
    return {
        "sacrebleu_s": round(theirs, 3),
        "scalefit_s": round(ours, 4),
        "ratio": round(theirs / ours, 1),
        "largest_difference_of_a_mean": float(np.abs(expected.mean(1) - drawn.mean).max()),
        "largest_difference_of_a_stderr": float(
            np.abs(expected.std(1, ddof=1) - drawn.stderr).max()
        ),
    }


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", type=int, default=20)
    parser.add_argument("--segments", type=int, default=3000)
    given = parser.parse_args()
    references, systems = texts(given.segments, given.systems)
    found = {metric: compare(metric, references, systems) for metric in ("bleu", "chrf")}
    print(json.dumps({**vars(given), "resamples": RESAMPLES, **found}, indent=1))


if __name__ == "__main__":
    main()
