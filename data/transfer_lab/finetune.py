"""One finetuning run, from checkpoint to scores; its folder keeps the trainer's own logs."""

from __future__ import annotations

import time
from pathlib import Path

import torch
import transformers
from measure import Evaluation, blind, evaluate, evaluate_shuffled
from model import Shape, load_weights, new_model, parameters
from plan import Finetuning
from safetensors.torch import save_file
from segments import Segment, collate, segments, training_set
from tokenizer import train_tokenizer
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5ForConditionalGeneration

TIED = (
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
)  # the same tensor as `shared.weight`
PREFIXES = {"test": "eval", "dev": "eval_dev", "out": "eval_ood"}


def start_model(job: Finetuning, work: Path, shape: Shape) -> T5ForConditionalGeneration:
    """Return the model to finetune; without pretraining the seed is the initialisation's."""
    model = new_model(shape, job.pretrain_seed)
    if job.checkpoint:
        load_weights(model, work / "pretrained" / job.checkpoint)
    return model


def arguments(job: Finetuning, folder: Path) -> Seq2SeqTrainingArguments:
    """Return the trainer's settings."""
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        max_steps=job.steps,
        per_device_train_batch_size=job.batch,
        learning_rate=job.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=20,
        optim="adamw_torch_fused",
        weight_decay=0.0,
        seed=job.seed,
        group_by_length=True,
        logging_steps=max(1, job.steps // 6),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )


def train(
    job: Finetuning, model: T5ForConditionalGeneration, rows: tuple[Segment, ...], folder: Path
) -> Seq2SeqTrainer:
    """Finetune the model in place."""
    data = [{"input_ids": row.source, "labels": row.target} for row in rows]
    trainer = Seq2SeqTrainer(
        model=model, args=arguments(job, folder), train_dataset=data, data_collator=collate
    )
    trainer.remove_callback(transformers.PrinterCallback)
    result = trainer.train()
    trainer.save_metrics("train", {**result.metrics, "train_segments": len(rows)})
    return trainer


def report(trainer: Seq2SeqTrainer, found: Evaluation, prefix: str, name: str) -> None:
    """Write an evaluation into the trainer's logs, its results file and its hypotheses file."""
    named = {"cross_entropy": "loss", "cross_entropy_per_byte": "loss_per_byte"}
    metrics = {f"{prefix}_{named.get(s.metric, s.metric)}": s.value for s in found.scores}
    trainer.log(dict(metrics))
    trainer.save_metrics(prefix, metrics)
    folder = Path(trainer.args.output_dir)
    (folder / name).write_text("\n".join(found.hypotheses) + "\n", encoding="utf-8")


def finetune(
    job: Finetuning, work: Path, shape: Shape, held_out: str = "test", runs: Path | None = None
) -> dict[str, object]:
    """Train and measure one run, in a folder under `runs` (`work/runs`); return its record."""
    began, folder = time.time(), (runs or work / "runs") / job.folder
    folder.mkdir(parents=True, exist_ok=True)
    transformers.logging.set_verbosity_error()
    tokenizer = train_tokenizer(work, shape.vocabulary)
    model = start_model(job, work, shape)
    rows = training_set(work, job.task, job.finetune_tokens)
    trainer = train(job, model, rows, folder)
    trained = time.time()
    inside = evaluate(model, segments(work, job.task, held_out), tokenizer)
    shuffled = evaluate_shuffled(model, segments(work, job.task, held_out), tokenizer)
    outside = evaluate(model, segments(work, job.task, "out"), tokenizer)
    report(trainer, inside, PREFIXES[held_out], "generated_predictions.txt")
    report(trainer, shuffled, PREFIXES[held_out], "generated_predictions_shuffled.txt")
    report(trainer, outside, PREFIXES["out"], "generated_predictions_ood.txt")
    trainer.save_state()
    keep_weights(model, job, work)
    return {
        "scores": {"in": inside.as_rows() + shuffled.as_rows(), "out": outside.as_rows()},
        "source_blind": blind(inside.scores[2], shuffled.scores[0]),
        "parameters": parameters(model),
        "train_segments": len(rows),
        "train_tokens": sum(len(r.target) for r in rows),
        "train_loss": trainer.state.log_history[-5].get("loss"),
        "seconds": {"train": round(trained - began, 2), "all": round(time.time() - began, 2)},
    }


def keep_weights(model: T5ForConditionalGeneration, job: Finetuning, work: Path) -> None:
    """Keep the finetuned weights in half precision where the plan asks for them."""
    if job.keep:
        tensors = {
            name: t.half().contiguous()
            for name, t in model.state_dict().items()
            if name not in TIED
        }
        path = work / "weights" / f"{'_'.join(job.folder.parts)}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
