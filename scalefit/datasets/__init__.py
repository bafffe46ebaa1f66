"""Measured results that come with the package: the transfer lab, our grid of corpora, sizes and seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scalefit.ingest import read
from scalefit.table import Table

# `data/transfer_lab` makes and owns the file; building the wheel puts a copy beside this module.
PACKED = Path(__file__).with_name("transfer_lab.csv")
OWNER = Path(__file__).parents[2] / "data" / "transfer_lab" / "results.csv"


def transfer_lab() -> Table:
    """Return the transfer lab's results: tiny translation models, pretrained, finetuned and measured by us.

    Seven corpora (``fr+en, fr, en, de, de+en, code``, and ``unpaired``, built to mislead) of 25,600 to 2.56M tokens,
    finetuned on 32k or 128k target tokens of en-fr or en-de; in and out of domain; up to three pretraining and two
    finetuning seeds. The metrics are BLEU, chrF and cross-entropy in nats per target token. What each column means, and
    how it was made, is in ``data/transfer_lab/README.md`` of the repository.

    Returns Table: 3,531 measured values, one a row.

    Examples
    --------
    >>> import scalefit as sf
    >>> table = sf.datasets.transfer_lab()
    >>> len(table)
    3531
    >>> table.unique("corpus")
    ['code', 'de', 'de+en', 'en', 'fr', 'fr+en', 'none', 'unpaired']

    A file of it, for the command line:

    >>> table.write("results.csv")  # doctest: +SKIP
    """
    path = PACKED if PACKED.exists() else OWNER
    table = read(path)
    return replace(table, notes=tuple(note.replace(str(path), path.name) for note in table.notes))
