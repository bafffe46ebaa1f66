"""``scalefit compare``: whether one procedure is better than another, over seeds and examples."""

from __future__ import annotations

from typing import Annotated

import typer

from scalefit.cli._options import Allow, AsJson, Config, Level, Rename, Results, Where


def command(
    results: Results,
    metric: Annotated[str, typer.Option(help="Metric to compare, e.g. bleu.")],
    a: Annotated[
        str, typer.Option("--a", help="Reference: a corpus, or COLUMN=VALUE[,COLUMN=VALUE].")
    ],
    b: Annotated[
        list[str], typer.Option("--b", help="Compared with it, written likewise; may be repeated.")
    ],
    column: Annotated[str, typer.Option(help="Column in which plain names stand.")] = "corpus",
    where: Where = None,
    rename: Rename = None,
    config: Config = None,
    allow: Allow = None,
    example: Annotated[
        str | None,
        typer.Option(help="Column that names the test example, where rows are single examples."),
    ] = None,
    paired: Annotated[
        bool | None,
        typer.Option(help="Equal pretraining seeds are one pretraining run; default: looked up."),
    ] = None,
    failed_beyond: Annotated[
        float | None, typer.Option(help="A run beyond this failed; default: 5 MAD.")
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="Show each procedure's runs: spread, worst, failed.")
    ] = False,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Compare procedures over seeds: difference, interval, p-value (Holm's for several), P(B > A).

    Says how many seeds the answer rests on, and whether the ranking survives out of domain.
    """
    import scalefit as sf
    from scalefit.cli import _io

    table = _io.read_table(
        results, where=where, rename=rename, config=config, allow=allow, metrics=[metric]
    )
    found = sf.compare_procedures(
        table,
        a=_side(a),
        b=[_side(text) for text in b],
        metric=metric,
        column=column,
        example=example,
        paired=paired,
        failed_beyond=failed_beyond,
        level=level,
    )
    _io.write_result(found, as_json=as_json)
    if runs and not as_json:
        _io.write_rows(found.profile_rows(), as_json=False, title="Runs")


def _side(text: str) -> str | dict[str, str]:
    from scalefit.cli import _io

    return _io.pairs(text.split(","), "--a or --b") if "=" in text else text
