"""Hand out runs to worker processes in the plan's order; a run waits for its checkpoint."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import torch
from finetune import finetune
from plan import Finetuning, Grid
from pretrain import Pretraining, pretrain
from records import append
from tqdm import tqdm

Job = Pretraining | Finetuning


@dataclass(frozen=True)
class Lab:
    """What every worker needs to know."""

    work: Path
    grid: Grid


def perform(lab: Lab, job: Job) -> Job:
    """Make one run in a worker process and record it."""
    torch.set_num_threads(1)
    if isinstance(job, Pretraining):
        pretrain(job, lab.work, lab.grid.shape)
    else:
        append(lab.work / "runs.jsonl", job, finetune(job, lab.work, lab.grid.shape))
    return job


def next_job(lab: Lab, waiting: list[Finetuning], running: Iterable[Job]) -> Job | None:
    """Return the first run that can start, or the pretraining that the first waiting run needs."""
    under_way = {job.run for job in running if isinstance(job, Pretraining)}
    for job in waiting:
        if job.checkpoint is None or (lab.work / "pretrained" / job.checkpoint).exists():
            return job
        if job.pretrain_run not in under_way:
            return lab.grid.pretraining(job.corpus, job.pretrain_seed)
    return None


def run_all(lab: Lab, jobs: list[Finetuning], workers: int) -> list[str]:
    """Make all runs; return messages of those that failed (they are tried again next time)."""
    waiting, running, failed = list(jobs), dict[Future[Job], Job](), list[str]()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool, tqdm(total=len(jobs), unit="run") as bar:
        while waiting or running:
            while (
                len(running) < workers
                and (job := next_job(lab, waiting, running.values())) is not None
            ):
                running[pool.submit(perform, lab, job)] = job
                if isinstance(job, Finetuning):
                    waiting.remove(job)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                bar.update(isinstance(job, Finetuning))
                if error := future.exception():
                    failed.append(f"{job}: {error!r}")
                    if isinstance(job, Pretraining):
                        waiting = [
                            w for w in waiting if w.pretrain_run != job.run or w.checkpoint is None
                        ]
    return failed
