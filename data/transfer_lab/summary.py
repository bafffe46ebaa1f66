"""Print the card's tables from `results.csv` and `facts.json`. Standard library only."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, stdev, variance

HERE = Path(__file__).resolve().parent
Row = dict[str, str]
Cell = dict[str, list[float]]  # values of the finetuning seeds, by pretraining run
PLACES = {"in": "in domain", "out": "out of domain"}
METRICS = ("cross_entropy", "bleu", "chrf")


def read(path: Path) -> list[Row]:
    """Read the table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cells(rows: Iterable[Row], **wanted: str) -> dict[tuple[str, int], Cell]:
    """Group the values by corpus and pretraining size, then by pretraining run."""
    found: dict[tuple[str, int], Cell] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            key = (row["corpus"], int(row["pretrain_tokens"]))
            found[key][row["pretrain_run"]].append(float(row["value"]))
    return found


def mean(cell: Cell) -> float:
    """Return the mean over pretraining seeds of the means over finetuning seeds."""
    return fmean(fmean(values) for values in cell.values())


def seed_sd(cell: Cell) -> float | None:
    """Return the standard deviation of the pretraining seeds' means."""
    return stdev(fmean(v) for v in cell.values()) if len(cell) > 1 else None


def finetuning_sd(found: dict[tuple[str, int], Cell]) -> float | None:
    """Return the standard deviation over finetuning seeds, pooled over pretraining runs."""
    spread = [variance(v) for cell in found.values() for v in cell.values() if len(v) > 1]
    return fmean(spread) ** 0.5 if spread else None


def grid(found: dict[tuple[str, int], Cell]) -> list[str]:
    """Return a table of means (± SD of seed means) by corpus and pretraining size."""
    sizes = sorted({size for _, size in found if size})
    lines = [
        "| corpus | " + " | ".join(f"{s:,}" for s in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for corpus in dict.fromkeys(c for c, s in sorted(found) if s):
        shown = [show(found[corpus, s]) if (corpus, s) in found else "–" for s in sizes]
        lines.append(f"| {corpus} | " + " | ".join(shown) + " |")
    if ("none", 0) in found:
        lines.append(f"\nwithout pretraining: {show(found['none', 0])}")
    return lines


def show(cell: Cell) -> str:
    """Format a cell."""
    sd = seed_sd(cell)
    return f"{mean(cell):.2f}" + ("" if sd is None else f" ± {sd:.2f}")


def pooled_sd(found: dict[tuple[str, int], Cell]) -> float | None:
    """Return the SD of pretraining-seed means, pooled over cells."""
    spread = [sd**2 for cell in found.values() if (sd := seed_sd(cell)) is not None]
    return fmean(spread) ** 0.5 if spread else None


def seed_line(found: dict[tuple[str, int], Cell], sign: int) -> str:
    """Say how much seeds matter and how far the best cell lies from the start from nothing."""
    p, f = pooled_sd(found), finetuning_sd(found)
    if p is None or f is None or ("none", 0) not in found:
        return ""
    key = max(found, key=lambda k: sign * mean(found[k]))
    gain = mean(found[key]) - mean(found["none", 0])
    return (
        f"pooled SD of pretraining-seed means {p:.3f}, of finetuning seeds {f:.3f}; "
        f"best cell {key[0]} at {key[1]:,}: {gain:+.2f} over none, {abs(gain) / p:.1f} seed SDs"
    )


def main() -> None:
    """Print everything."""
    rows = read(HERE / "results.csv")
    places = list(dict.fromkeys((r["task"], r["finetune_tokens"], r["domain"]) for r in rows))
    for task, tokens, domain in places:
        for metric in METRICS:
            found = cells(rows, task=task, finetune_tokens=tokens, domain=domain, metric=metric)
            print(f"\n### {task}, {int(tokens):,} finetuning tokens, {PLACES[domain]}: {metric}\n")
            print(*grid(found), seed_line(found, -1 if metric == "cross_entropy" else 1), sep="\n")
    print("\n### models\n")
    print(*{f"{r['model']}: {int(r['parameters']):,} parameters" for r in rows}, sep="\n")
    facts = HERE / "facts.json"
    if facts.exists():
        print("\n### facts\n", json.dumps(json.loads(facts.read_text()), indent=1), sep="\n")


if __name__ == "__main__":
    main()
