"""Files that need not fit into memory, dealt out into parts by the groups of their rows.

The groups' values, sorted, are cut into parts of a fixed length: that alone says who stands with whom. pyarrow reads
the rows a batch at a time and writes each into its part's folder; then a part is a frame like any other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scalefit.errors import FormatError, MissingColumnError, MissingDependencyError, TableError
from scalefit.files import write_text
from scalefit.table.names import meaning

Key = tuple[Any, ...]
_FORMATS = {".parquet": "parquet", ".csv": "csv", ".feather": "feather", ".arrow": "feather"}
SIZE = "pretrain_tokens"
MOST_IN_EVERY_PART = 100_000
PART, SHARED, WHOLE = "part", -1, "whole"
FILE_PLACE = "place in the files"


@dataclass(frozen=True)
class Files:
    """Files of one schema, those of their columns that make groups, and the one of pretraining sizes, if any."""

    dataset: Any
    by: tuple[str, ...]
    size: str | None

    @classmethod
    def of(
        cls, data: str | Path | Sequence[str | Path], by: Sequence[str], mapping: Mapping[str, str]
    ) -> Files:
        """Open files without reading them; ``by`` names columns in the user's words or ours.

        Raises FormatError: they are not of one kind that is read by part, or not there; MissingColumnError: a column
        of ``by`` is not there.
        """
        several = [data] if isinstance(data, str | Path) else data
        if not isinstance(several, list | tuple) or not several:
            raise FormatError(
                f"found {type(data).__name__}; needed the path of a file or folder, or several, to read by part. "
                "Try: what is in memory already fits the doors themselves, fit_each, forecast or align"
            )
        paths = [str(path) for path in several]
        try:
            from pyarrow import dataset

            files = dataset.dataset(paths[0] if len(paths) == 1 else paths, format=_kind(paths))
        except ImportError as error:
            raise MissingDependencyError(
                "files are read by part through pyarrow; install it: pip install 'transfer-scalefit[parquet]'"
            ) from error
        except (OSError, ValueError, TypeError) as error:
            raise FormatError(f"{paths[0]}: cannot be read by part: {error}") from error
        names = files.schema.names
        own = {
            **{ours: name for name in names if (ours := meaning(name))},
            **{name: name for name in names},
            **{ours: theirs for theirs, ours in mapping.items() if theirs in names},
        }
        for name in by:
            if own.get(name) not in names:
                raise MissingColumnError(
                    f"{paths[0]} has no column {name!r} (columns: {', '.join(names)})"
                )
        return cls(files, tuple(own[name] for name in by), own.get(SIZE))

    @property
    def names(self) -> list[str]:
        """All columns, in the user's words."""
        return list(self.dataset.schema.names)

    @property
    def told(self) -> list[list[Any]]:
        """Name, size and time of every file, by which a change is seen."""
        stats = [(name, Path(name).stat()) for name in self.dataset.files]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]

    @property
    def _columns(self) -> list[str]:
        return list(dict.fromkeys([*self.by, *([self.size] if self.size else [])]))

    def keys(self) -> list[Key]:
        """Return the groups' values, sorted; rows without pretraining belong to all groups and make none.

        Raises TableError: no row has pretraining.
        """
        keys = set[Key]()
        for batch in self.dataset.to_batches(columns=self._columns):
            frame = batch.to_pandas().drop_duplicates()
            keys.update(keys_of(frame[~self._shared(frame)], self.by))
        if not keys:
            raise TableError(
                f"no row of the files has {SIZE} above 0; needed measured values of pretrained models"
            )
        return sorted(keys, key=lambda key: [(v is None, isinstance(v, str), v or 0) for v in key])

    def deal(self, home: Path, parts: Sequence[Sequence[Key]]) -> None:
        """Write every row into its part's folder below ``home``, unless that was done."""
        if (home / WHOLE).exists():
            return
        import pyarrow as pa
        from pyarrow import dataset

        shutil.rmtree(home, ignore_errors=True)
        number, place = pa.field(PART, pa.int32()), pa.field(FILE_PLACE, pa.int64())
        dataset.write_dataset(
            self._dealt({key: i for i, part in enumerate(parts) for key in part}),
            home,
            schema=self.dataset.schema.append(number).append(place),
            format="parquet",
            partitioning=dataset.partitioning(pa.schema([number]), flavor="hive"),
            max_partitions=len(parts) + 1,
        )
        write_text(home / WHOLE, "")

    def _dealt(self, place: Mapping[Key, int]) -> Iterator[Any]:
        """Yield the rows with their part's number; those that every group shares have one of their own."""
        import pyarrow as pa

        shared = count = 0
        for batch in self.dataset.to_batches():
            frame = batch.select(self._columns).to_pandas()
            base = self._shared(frame)
            shared += int(base.sum())
            if shared > MOST_IN_EVERY_PART:
                raise TableError(
                    f"more than {MOST_IN_EVERY_PART} rows have {SIZE} 0, and would stand in every part; leave them out"
                )
            keys = keys_of(frame, self.by)
            numbers = [SHARED if b else place[key] for key, b in zip(keys, base, strict=True)]
            places = pa.array(range(count, count + len(numbers)), pa.int64())
            count += len(numbers)
            yield batch.append_column(PART, pa.array(numbers, pa.int32())).append_column(
                FILE_PLACE, places
            )

    def _shared(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Return which rows were not pretrained."""
        if self.size is None:
            return pd.Series(False, index=frame.index)
        return pd.to_numeric(frame[self.size], errors="coerce") == 0


def part_of(home: Path, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a part's rows, and those that every group shares."""
    rows, shared = (home / f"{PART}={i}" for i in (number, SHARED))
    frame = _in_order(rows)
    return frame, _in_order(shared) if shared.exists() else frame[:0]


def _in_order(folder: Path) -> pd.DataFrame:
    """Return a part's rows as the files have them: pyarrow writes batches in any order, and sums of floats differ."""
    rows = pd.read_parquet(folder, partitioning=None)
    return rows.sort_values(FILE_PLACE, ignore_index=True).drop(columns=FILE_PLACE)


def keys_of(frame: pd.DataFrame, by: Sequence[str]) -> list[Key]:
    """Return each row's group, None where a cell is missing.

    Examples
    --------
    >>> keys_of(pd.DataFrame({"corpus": ["fr", None], "tokens": [1, 2]}), ["corpus"])
    [('fr',), (None,)]
    """
    columns = [[None if pd.isna(cell) else cell for cell in frame[name].tolist()] for name in by]
    return list(zip(*columns, strict=True))


def _kind(paths: Sequence[str]) -> str:
    """Return the one kind of some files, or of those in folders."""
    every = [p for path in map(Path, paths) for p in (path.rglob("*") if path.is_dir() else [path])]
    kinds = {
        p.suffix.lower() for p in every if p.is_dir() is False and not p.name.startswith((".", "_"))
    }
    if len(kinds) != 1 or not kinds <= set(_FORMATS):
        raise FormatError(
            f"{paths[0]}: holds {', '.join(sorted(kinds)) or 'nothing'}; needed files of one kind among "
            f"{', '.join(_FORMATS)} to read by part. Try: scalefit ingest … -o table.parquet"
        )
    return _FORMATS[kinds.pop()]
