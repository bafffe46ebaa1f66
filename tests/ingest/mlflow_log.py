"""Logs a few runs with MLflow's own client; started by the tests in a process of its own.

Takes the address of a tracking store (a server's, or a folder for the old file store).
"""

import sys

from mlflow import MlflowClient

ADDRESS = sys.argv[1]
client = MlflowClient(ADDRESS)


def run(experiment, name, params, metrics, status="FINISHED"):
    """Log one run: parameters, then (name, value, step) by (name, value, step)."""
    made = client.create_run(experiment, run_name=name).info.run_id
    for key, value in params.items():
        client.log_param(made, key, value)
    for key, value, step in metrics:
        client.log_metric(made, key, value, step=step)
    if status != "RUNNING":
        client.set_terminated(made, status)
    return made


translation = client.create_experiment("translation")
for seed in (1, 2):
    run(
        translation,
        f"fr-1.5M-s{seed}",
        {"corpus": "fr", "pretrain_tokens": "1500000", "finetune_seed": seed, "lr": 0.1},
        [
            ("eval_bleu", 20.125 + seed, 100),
            ("eval_bleu", 22.375 + seed, 200),
            ("eval_bleu", 21.625 + seed, 150),
            ("eval/loss", 2.25, 200),
            ("train_loss", 3.5, 200),
            ("eval_runtime", 12.5, 200),
        ],
    )
run(
    translation,
    "none-0-s1",
    {"corpus": "none", "pretrain_tokens": "0", "finetune_seed": 1},
    [("eval_bleu", 11.875, 200), ("eval_chrf", 31.125, 100), ("eval_chrf", float("nan"), 200)],
)
run(translation, "crashed", {"pretrain_tokens": "7"}, [("eval_bleu", 1.5, 10)], "FAILED")
client.delete_run(run(translation, "gone", {"pretrain_tokens": "7"}, [("eval_bleu", 2.5, 10)]))
other = client.create_experiment("summaries")
run(other, "still going", {"pretrain_tokens": "3M"}, [("eval_ter", 61.125, 5)], "RUNNING")
closed = client.create_experiment("closed")
run(closed, "closed", {"pretrain_tokens": "7"}, [("eval_bleu", 3.5, 10)])
client.delete_experiment(closed)
print(translation, other)
