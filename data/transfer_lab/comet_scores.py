"""COMET for the kept hypotheses, only when a checkpoint is given."""

from __future__ import annotations

from pathlib import Path

from records import Record
from segments import segments

FILES = {
    "in": ("generated_predictions.txt", "test"),
    "out": ("generated_predictions_ood.txt", "out"),
}


def add_comet(found: list[Record], work: Path, checkpoint: Path) -> list[Record]:
    """Return the records with a COMET score added for both evaluation sets, where hypotheses are."""
    from comet import load_from_checkpoint  # loads torch and lightning: only when asked for

    model = load_from_checkpoint(str(checkpoint), local_files_only=True)
    return [
        with_comet(r, work, model, checkpoint.name) if (work / "runs" / r["run"]).exists() else r
        for r in found
    ]


def with_comet(record: Record, work: Path, model: object, name: str) -> Record:
    """Score one run's hypotheses."""
    scores = dict(record["scores"])
    for domain, (file, split) in FILES.items():
        rows = segments(work, record["task"], split)
        lines = (
            (work / "runs" / record["run"] / file)
            .read_text(encoding="utf-8")
            .split("\n")[: len(rows)]
        )
        data = [
            {"src": r.pair.source, "mt": mt, "ref": r.pair.target}
            for r, mt in zip(rows, lines, strict=True)
        ]
        value = model.predict(data, gpus=0, progress_bar=False).system_score  # type: ignore[attr-defined]
        score = {
            "metric": "comet",
            "value": value,
            "stderr": None,
            "signature": f"model:{name}|precision:32",
        }
        scores[domain] = [*scores[domain], score]
    return {**record, "scores": scores}
