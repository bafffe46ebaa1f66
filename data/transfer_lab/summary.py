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


def blind_cells(rows: Iterable[Row], **wanted: str) -> set[tuple[str, int]]:
    """Return the cells with a run that does no better than with shuffled sources."""
    return {
        (row["corpus"], int(row["pretrain_tokens"]))
        for row in rows
        if row["source_blind"] == "True" and all(row[n] == v for n, v in wanted.items())
    }


def grid(found: dict[tuple[str, int], Cell], blind: set[tuple[str, int]]) -> list[str]:
    """Return a table of means (± SD of seed means) by corpus and size; † marks blind cells."""
    sizes = sorted({size for _, size in found if size})
    lines = [
        "| corpus | " + " | ".join(f"{s:,}" for s in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for corpus in dict.fromkeys(c for c, s in sorted(found) if s):
        keys = [(corpus, size) for size in sizes]
        shown = [show(found[k]) + " †" * (k in blind) if k in found else "–" for k in keys]
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
            place = {"task": task, "finetune_tokens": tokens, "domain": domain, "metric": metric}
            found = cells(rows, **place)
            print(f"\n### {task}, {int(tokens):,} finetuning tokens, {PLACES[domain]}: {metric}\n")
            print(
                *grid(found, blind_cells(rows, **place)),
                seed_line(found, -1 if metric == "cross_entropy" else 1),
                sep="\n",
            )
    print("\n† at least one run of the cell is source-blind\n\n### models\n")
    print(*{f"{r['model']}: {int(r['parameters']):,} parameters" for r in rows}, sep="\n")
    facts = HERE / "facts.json"
    if facts.exists():
        print("\n### facts\n", json.dumps(json.loads(facts.read_text()), indent=1), sep="\n")


if __name__ == "__main__":
    main()
