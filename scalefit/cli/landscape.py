"""``scalefit landscape``: barriers between checkpoints, basins, and what they foretell."""

from __future__ import annotations

import csv
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scalefit.cli import _io
from scalefit.cli._io import aside
from scalefit.cli._options import AsJson, Work
from scalefit.errors import LandscapeError
from scalefit.units import some

Checkpoints = Annotated[
    list[str], typer.Argument(help="Weights: .safetensors, .npz, torch files, or folders.")
]
LossOption = Annotated[
    str | None,
    typer.Option("--loss", help="MODULE:FUNCTION of yours that takes weights, gives the loss."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Hugging Face model (name or folder) to make the loss from."),
]
Data = Annotated[
    str | None, typer.Option("--data", help="JSON lines to evaluate that model on (in domain).")
]
Device = Annotated[str, typer.Option(help="For --model: cpu, cuda …; auto takes a GPU if any.")]
Dtype = Annotated[
    str, typer.Option(help="For --model: float16, bfloat16, float32; auto: float16 on a GPU only.")
]
Points = Annotated[int, typer.Option(help="Points a path, both ends included.", min=3)]
Kind = Annotated[str, typer.Option(help="barrier, gap, area, instability, midpoint or euclidean.")]
StoreOption = Annotated[
    str | None, typer.Option("--store", help="File that keeps evaluations, to go on after a kill.")
]
Scores = Annotated[
    str | None,
    typer.Option(
        "--scores", help="CSV with columns name, ood and perhaps in_domain, group, procedure."
    ),
]
Picture = Annotated[
    str | None, typer.Option("--plot", help="Picture of the paths to write: .png, .svg or .pdf.")
]
Dry = Annotated[bool, typer.Option("--budget", help="Only count the evaluations, and stop.")]


@dataclass(frozen=True)
class GivenLoss:
    """The loss whose landscape it is: a function of somebody's own, or that of a Hugging Face model on its data."""

    loss: LossOption = None
    model: Model = None
    data: Data = None
    device: Device = "auto"
    dtype: Dtype = "auto"

    def __post_init__(self) -> None:
        if self.loss and self.model:
            raise LandscapeError("found --loss and --model; needed one of them")
        if (self.model is None) != (self.data is None):
            raise LandscapeError("--model and --data belong together; needed both or neither")

    def made(self) -> Any:
        """Return the loss; None where none was named."""
        if self.model and self.data:
            from scalefit.landscape import hf_loss

            return hf_loss(self.model, self.data, device=self.device, dtype=self.dtype)
        return _imported(self.loss) if self.loss else None


def landscape(
    checkpoints: Checkpoints,
    given: GivenLoss = GivenLoss(),
    points: Points = 11,
    kind: Kind = "barrier",
    store: StoreOption = None,
    scores: Scores = None,
    plot: Picture = None,
    only_budget: Dry = False,
    work: Work = Work(),  # noqa: B008 - a frozen value
    as_json: AsJson = False,
) -> None:
    """Interpolate between finetuned checkpoints: barriers, basins, foretold behaviour.

    Without a loss only Euclidean distances are measured.

    Examples
    --------
    scalefit landscape runs/*/model.safetensors --loss task:loss --store paths.sqlite

    scalefit landscape runs/* --model runs/1 --data dev.jsonl --scores scores.csv
    """
    import scalefit as sf
    from scalefit.landscape.checkpoint import short_names

    _io.check_suffix(plot, known=_io.DRAWN)
    table = _scores(scores, short_names(checkpoints)) if scores else {}
    groups = table.get("group")
    cost = sf.landscape.budget(groups or len(checkpoints), points)
    aside(f"scalefit: {cost}")
    if only_budget:
        return
    distances = sf.landscape.distances(
        checkpoints,
        given.made(),
        points=points,
        groups=groups,
        kind=kind,
        store=store,
        executor=work.executor,
    )
    basins = _basins(distances)
    foresight, robust = _foresight(distances, table), _robustness(distances, table)
    if plot:
        from scalefit.views import plot_paths

        _io.save_picture(plot_paths(distances, table.get("ood")), plot)
    parts = {"distances": distances, "basins": basins, "foresight": foresight, "robustness": robust}
    _write({name: part for name, part in parts.items() if part is not None}, as_json)


def _imported(name: str) -> Any:
    """Import MODULE:FUNCTION, looking in the current folder too."""
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise LandscapeError(f"--loss {name}: needed MODULE:FUNCTION, e.g. --loss task:loss")
    sys.path.insert(0, str(Path.cwd()))
    try:
        value = getattr(importlib.import_module(module), function, None)
    except ModuleNotFoundError as error:
        raise LandscapeError(f"--loss {name}: {error}; looked here and in the path") from error
    if not callable(value):
        raise LandscapeError(f"--loss {name}: {module} has no function {function!r}")
    return value


def _scores(path: str, names: list[str]) -> dict[str, list[Any]]:
    """Read scores and groups, in the order of the checkpoints."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = {row.get("name", ""): row for row in csv.DictReader(file)}
    missing = [name for name in names if name not in rows]
    if missing or not rows:
        known = some(rows, 4) or "none"
        raise LandscapeError(f"{path}: no row named {missing[0]!r}; its names are {known}")
    columns: dict[str, list[Any]] = {}
    for column in ("ood", "in_domain", "group", "procedure"):
        values = [rows[name].get(column) or "" for name in names]
        if any(values):
            number = column in ("ood", "in_domain")
            columns[column] = [_number(path, v) for v in values] if number else values
    if "ood" not in columns:
        raise LandscapeError(
            f"{path}: no column 'ood'; needed name, ood (and in_domain, group, procedure)"
        )
    return columns


def _number(path: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise LandscapeError(f"{path}: {text!r} is no number") from error


def _basins(distances: Any) -> Any:
    """Look for basins where there are enough models, all of one group."""
    from scalefit.landscape import clusters
    from scalefit.landscape.basins import LEAST_MODELS

    if len(distances.names) < LEAST_MODELS or len(set(distances.groups)) > 1:
        return None
    return clusters(distances)


def _foresight(distances: Any, table: dict[str, list[Any]]) -> Any:
    if "ood" not in table:
        return None
    from scalefit.landscape import predict

    return predict(distances, table["ood"], in_domain=table.get("in_domain"))


def _robustness(distances: Any, table: dict[str, list[Any]]) -> Any:
    """Ask whether the surface told which procedure is the more robust, where there are two."""
    if "procedure" not in table:
        return None
    from scalefit.landscape import robustness

    return robustness(distances, table["ood"], table["procedure"])


def _write(parts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _io.write_json(parts)
        return
    rows = sorted(parts["distances"].rows(), key=lambda row: -row[parts["distances"].kind])
    print(parts["distances"])
    for row in rows[:10]:
        print(f"  {row['a']} → {row['b']}: {row[parts['distances'].kind]:.4g}")
    if len(rows) > 10:
        print(f"  … and {len(rows) - 10} smaller ones (--json lists all)")
    for name in ("basins", "foresight", "robustness"):
        if name in parts:
            print(parts[name])
