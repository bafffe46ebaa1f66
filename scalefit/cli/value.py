"""``scalefit value``: what pretraining is worth over none."""

from __future__ import annotations

from scalefit.cli._options import (
    Allow,
    AsJson,
    By,
    Config,
    File,
    Level80,
    Metric,
    Rename,
    Results,
    Where,
)


def command(
    results: Results,
    metric: Metric = "bleu",
    by: By = None,
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    level: Level80 = 0.8,
    output: File = None,
    as_json: AsJson = False,
) -> None:
    """Say what pretraining is worth: gain, the finetuning data it replaces, where it fades or harms."""
    import scalefit as sf
    from scalefit.cli import _io

    _io.check_suffix(output)
    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
    )
    valued = sf.value(table, metric, by=_io.names(by), level=level)
    _io.deliver(valued, as_json=as_json, output=output)
