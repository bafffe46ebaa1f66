"""The modes over size: which of two parities models follow, as finetuning goes on, told by ``sf.seed_curves``.

Run: ``python data/parity_landscape/sizes.py``; some forty seconds of one idle core.
"""

from __future__ import annotations

from parity import Recipe, experiment

import scalefit as sf

STEPS = (150, 300, 600, 1200, 2400)
PRETRAIN_SEEDS, RUNS = 3, 12


def table() -> dict[str, list[object]]:
    """Return one row a run, step count and domain; sizes are examples seen in finetuning."""
    rows: dict[str, list[object]] = {
        name: []
        for name in ("finetune_tokens", "pretrain_seed", "finetune_seed", "domain", "accuracy")
    }
    for steps in STEPS:
        recipe = Recipe(data_seed=200, pretrain_seeds=PRETRAIN_SEEDS, runs=RUNS, steps=steps)
        runs = experiment(recipe)
        scores = {"in": runs.in_domain, "out": runs.out_of_domain}
        for domain, score in scores.items():
            rows["finetune_tokens"] += [steps * recipe.batch] * score.size
            rows["pretrain_seed"] += runs.groups
            rows["finetune_seed"] += list(range(RUNS)) * PRETRAIN_SEEDS
            rows["domain"] += [domain] * score.size
            rows["accuracy"] += score.tolist()
    return rows


if __name__ == "__main__":
    curves = sf.seed_curves(
        table(), "accuracy", column="finetune_tokens", allow=["no_pretrain_tokens"]
    )
    for curve in curves:
        print(curve.verdict)
        for rung in curve.rungs:
            ends = ", ".join(f"{q:.2f}" for q in (i.estimate for i in rung.quantiles.values()))
            print(f"  {rung.size:.3g} examples: deciles and median {ends}, {rung.runs} runs")
