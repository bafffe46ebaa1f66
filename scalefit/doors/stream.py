"""``sf.stream``: more groups than fit into memory, asked about a part at a time, answers kept as they come.

A part's answers appear as a whole file or not at all, so that a call that was killed goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from scalefit.alignment import align
from scalefit.doors.fit import fit_each
from scalefit.doors.forecast import forecast
from scalefit.errors import ExecutorError, FormatError, ScalefitError
from scalefit.executors import Workers, working
from scalefit.files import write_text, writing
from scalefit.groups import as_names, group_name
from scalefit.ingest.config import Config
from scalefit.ingest.parts import Files, Key, keys_of, part_of
from scalefit.result import Result
from scalefit.rows import Row, frame_of
from scalefit.version import __version__


def _aligned(data: Any, metric: str, **options: Any) -> Any:
    return align(data, quality=metric, **options)


def _fitted(data: Any, metric: str, law: Any = None, **options: Any) -> Any:
    """Fit without a bar a part: the one over all parts is enough."""
    quiet = {} if law is None else {"progress": False}
    return fit_each(data, metric, law, **quiet, **options)


DOORS: Mapping[str, Callable[..., Any]] = {
    "align": _aligned,
    "fit_each": _fitted,
    "forecast": forecast,
}
GROUPS_A_PART = 256  # groups of a part
DEALT, ASKED = ".rows", "asked.json"


@dataclass(frozen=True, eq=False, repr=False)
class Streamed(Result):
    """Answers that were written as they came.

    Attributes
    ----------
    folder : where they are: ``part-*.parquet``, and ``failed-*.parquet`` with what failed and why.
    groups, failed : of each part, how many groups it has, and how many of them have no answer.

    Examples
    --------
    >>> import tempfile, pandas as pd, scalefit as sf
    >>> folder = tempfile.mkdtemp()
    >>> sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6], [5.0, 9.1, 12.9, 17.0, 21.1]
    >>> rows = pd.DataFrame({"corpus": ["fr"] * 5 + ["en"], "pretrain_tokens": [*sizes, 1e6], "bleu": [*bleu, 4.0]})
    >>> rows.to_parquet(f"{folder}/runs.parquet")
    >>> done = sf.stream(f"{folder}/runs.parquet", "bleu", f"{folder}/fits", law="log", by=["corpus"])
    >>> done.verdict.split(": ")[1]
    '2 groups in 1 parts, 1 of them without an answer'
    >>> done.answers()["corpus"].tolist(), done.failures()["group"].tolist()
    (['fr'], ['en'])
    """

    folder: str
    groups: tuple[int, ...]
    failed: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """How many groups were answered, and where."""
        lost = (
            f", {sum(self.failed)} of them without an answer: failures() says why"
            if sum(self.failed)
            else ""
        )
        return f"{self.folder}: {sum(self.groups)} groups in {len(self.groups)} parts{lost}"

    def rows(self) -> list[Row]:
        """One row a part: how many groups, and how many without an answer."""
        pairs = zip(self.groups, self.failed, strict=True)
        return [{"part": i, "groups": g, "failed": f} for i, (g, f) in enumerate(pairs)]

    def answers(self) -> pd.DataFrame:
        """Return the rows of all parts, as the door gives them."""
        return self._joined("part")

    def failures(self) -> pd.DataFrame:
        """Return what failed and why: columns ``group`` and ``reason``."""
        return self._joined("failed")

    def _joined(self, kind: str) -> pd.DataFrame:
        frames = [_read(Path(self.folder), kind, i) for i in range(len(self.groups))]
        there = [frame for frame in frames if len(frame)]
        return pd.concat(there, ignore_index=True) if there else frames[0]


def stream(
    data: str | Path | Sequence[str | Path],
    metric: str,
    output: str | Path,
    *,
    by: Sequence[str],
    door: str = "fit_each",
    size: int = GROUPS_A_PART,
    mapping: Mapping[str, str] | None = None,
    config: str | Path | None = None,
    executor: Workers = None,
    progress: bool | None = None,
    **options: Any,
) -> Streamed:
    """Ask about every group of files that need not fit into memory; what is done is kept, and never done twice.

    Parameters
    ----------
    data : path, or several
        Parquet, Feather or CSV files, or a folder of such, all with the same columns.
    metric : str
    output : a folder for the answers. Where it holds answers to this very question, the call goes on from them.
    by : columns that make the groups.
    door : {"fit_each", "forecast", "align"}; what is asked about them.
    size : groups of a part. Mixtures of a quality learn from the curves of their part.
    mapping : own name -> canonical name.
    config : a ``scalefit.toml`` with such names; by default the one beside the data.
    executor : a number of processes, an executor or a scheduler's address (``docs/scale.md``); answers stay the same.
    progress : force the bar on or off; by default it shows in a terminal.
    **options : the door's: ``law=``, ``target=``, ``allow=``, ….

    Returns Streamed: where the answers are, and how many groups have none.

    Raises FormatError: the files are none that are read by part, or ``output`` answers another question;
    MissingColumnError: a column of ``by`` is not there; ExecutorError: workers died; the parts that are done are
    kept.

    Examples
    --------
    >>> import tempfile, pandas as pd, scalefit as sf
    >>> folder = tempfile.mkdtemp()
    >>> rows = pd.DataFrame({"pretrain_tokens": [1e6, 4e6, 16e6, 64e6], "bleu": [5.0, 9.1, 12.9, 17.0]})
    >>> rows.assign(corpus="fr").to_csv(f"{folder}/runs.csv", index=False)
    >>> sf.stream(f"{folder}/runs.csv", "bleu", f"{folder}/fits", by=["corpus"], law="log").groups
    (1,)
    """
    if door not in DOORS:
        raise FormatError(f"there is no door {door!r} to stream through; needed {', '.join(DOORS)}")
    if size < 1:
        raise FormatError(f"size={size}; needed at least one group a part")
    folder, given = Path(output), dict(mapping or {})
    kept = Config.of(config, [str(data)] if isinstance(data, str | Path) else list(map(str, data)))
    files = Files.of(data, by, {**kept.mapping, **given})
    renames = {n: ours for n, ours in kept.mapping.items() if n in files.names} | given
    if kept.allow:
        options["allow"] = (*kept.allow, *as_names(options.get("allow", ())))
    question = {"door": door, "metric": metric, "by": list(by), "size": size, "mapping": renames,
                "options": options, "files": files.told, "version": __version__}  # fmt: skip
    parts = _parts(files, folder, question)
    left = [i for i in range(len(parts)) if not _file(folder, "part", i).exists()]
    if left:
        files.deal(folder / DEALT, parts)
    ask = _Ask(door, metric, tuple(by), files.by, {**options, "mapping": renames})
    bar = tqdm(total=len(parts), initial=len(parts) - len(left), desc=door, unit="part",
               disable=None if progress is None else not progress)  # fmt: skip
    with working(executor) as each, bar:
        for i, (rows, failed) in zip(
            left, each(ask, (part_of(folder / DEALT, i) for i in left)), strict=True
        ):
            _write(failed, _file(folder, "failed", i))
            _write(rows, _file(folder, "part", i))  # last: where it stands, the part is done
            bar.update()
    shutil.rmtree(folder / DEALT, ignore_errors=True)
    lost = (len(_read(folder, "failed", i)) for i in range(len(parts)))
    return Streamed(str(folder), tuple(map(len, parts)), tuple(lost))


def _parts(files: Files, folder: Path, question: Mapping[str, Any]) -> list[list[Key]]:
    """Return the groups of every part; refuse a folder that holds answers to another question."""
    asked = json.loads(json.dumps(question, default=_told))
    path, size = folder / ASKED, question["size"]
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name in asked if kept["question"].get(name) != asked[name]]
        if other:
            raise FormatError(
                f"{folder} holds answers to another question: {', '.join(other)} differ. Try: another output, or "
                "delete it"
            )
        keys = [tuple(key) for key in kept["groups"]]
    else:
        keys = files.keys()
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"question": asked, "groups": keys}, default=_told))
    return [keys[i : i + size] for i in range(0, len(keys), size)]


def _told(value: Any) -> str:
    """Return what tells an option from others: a law's or a function's name."""
    name = getattr(value, "name", None) or getattr(value, "__qualname__", None)
    return str(name or value)


@dataclass(frozen=True)
class _Ask:
    """What every part is asked."""

    door: str
    metric: str
    by: tuple[str, ...]
    own: tuple[str, ...]
    options: Mapping[str, Any]

    def __call__(self, part: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[list[Row], list[Row]]:
        """Return a part's answers, and why groups have none; one group's bad cell costs the others nothing."""
        try:
            answer = DOORS[self.door](
                pd.concat(part, ignore_index=True), self.metric, by=self.by, **self.options
            )
            return answer.rows(), _failures(answer)
        except ExecutorError:
            raise
        except ScalefitError as error:
            return self._apart(*part, str(error))

    def _apart(
        self, rows: pd.DataFrame, shared: pd.DataFrame, reason: str
    ) -> tuple[list[Row], list[Row]]:
        """Leave out the groups that have no answer alone, and ask about the others together."""
        keys = keys_of(rows, self.own)
        every = list(dict.fromkeys(keys))
        failed = [] if len(every) > 1 else [self._failure(every[0], reason)]
        good = []
        for key in every if len(every) > 1 else ():
            answers, why = self((rows[[k == key for k in keys]], shared))
            failed += [] if answers else why
            good += [key] if answers else []
        if len(good) == len(every):  # each has an answer, only all together have none
            return [], [self._failure(key, reason) for key in every]
        if not good:
            return [], failed
        answers, more = self((rows[[k in set(good) for k in keys]], shared))
        return answers, [*failed, *more]

    def _failure(self, key: Key, reason: str) -> Row:
        return {"group": group_name(dict(zip(self.by, key, strict=True))), "reason": reason}


def _failures(answer: Any) -> list[Row]:
    """Return why groups have no answer, in whichever way the door tells it."""
    told = getattr(answer, "failures", ())
    if isinstance(told, Mapping):
        return [{"group": name, "reason": reason} for name, reason in told.items()]
    return [{"group": group_name(one.group), "reason": one.reason} for one in told]


def _file(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number:06}.parquet"


def _write(rows: list[Row], path: Path) -> None:
    frame = frame_of(rows)
    with writing(path) as half:
        frame.to_parquet(half, index=False)


def _read(folder: Path, kind: str, number: int) -> pd.DataFrame:
    return pd.read_parquet(_file(folder, kind, number))
