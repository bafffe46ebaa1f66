"""Arguments and options that several commands share, spelled once.

Options that belong together are one value (:class:`Source`, :class:`Answer`, :class:`Work`): a command that takes
``source: Source`` has all of them, for :func:`spread` puts them into its signature one by one. A value is made, and
what is wrong in it refused, before the command begins its work.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from importlib.util import LazyLoader, find_spec, module_from_spec
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand

from scalefit.cli import _io
from scalefit.cli._io import doing, quietly
from scalefit.errors import DomainError, ExecutorError

Results = Annotated[str, typer.Argument(help="Results file in any known format, or - for stdin.")]
Stored = Annotated[str, typer.Argument(help="JSON of `scalefit fit --json`, or - for stdin.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Keep rows with COLUMN=VALUE[,VALUE...], COLUMN=LOW..HIGH, 'COLUMN<=NUMBER' or "
        "COLUMN!=VALUE; may be repeated.",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--map", help="Rename a column: THEIRS=OURS, e.g. tokens=pretrain_tokens."),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="scalefit.toml; default: the one beside the data.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", help="Processes of this machine; default: this one.", min=1)
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Or a dask scheduler's address: tcp://host:8786.")
]
Allow = Annotated[
    str | None,
    typer.Option("--allow", help="Checks to switch off, comma-separated, e.g. range,fractions."),
]
Level = Annotated[
    float, typer.Option("--level", help="Confidence of intervals.", min=0.5, max=0.999)
]
By = Annotated[
    str | None,
    typer.Option("--by", help="Columns that make a group, comma-separated; default: what varies."),
]
Pool = Annotated[
    str,
    typer.Option(
        "--pool",
        help="Curves that learn from each other: auto (all), none, or those that agree in COLUMN[,COLUMN].",
    ),
]
At = Annotated[
    list[str] | None,
    typer.Option("--at", help="Other inputs of the law: NAME=VALUE, e.g. N=1B; may be repeated."),
]


def _as_it_is(name: str) -> str:
    """Hand a default on: it knows that nobody asked for it."""
    return name


Metric = Annotated[
    str,
    typer.Option(
        parser=_as_it_is,
        metavar="<str>",
        help="Metric, e.g. bleu, chrf, cross_entropy; default: bleu, or the one there.",
    ),
]
Over = Annotated[str, typer.Option(help="Column of what is chosen from.")]
File = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write; its suffix says what: .png .svg .pdf, .csv .tsv .md .tex, .json, .html.",
    ),
]
Loss = Annotated[
    str,
    typer.Option(
        parser=_as_it_is,
        metavar="<str>",
        help="The loss beside the quality; default: cross_entropy, or the one there.",
    ),
]
Target = Annotated[float | None, typer.Option(help="Value of the metric to be reached.")]
Given = Annotated[
    bool,
    typer.Option("--given-law", help="Take a single law for the truth: leave doubt about it out."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notes, no progress: the answer alone.")
]


@dataclass(frozen=True)
class Source:
    """A results file, and which of its rows are read under which names."""

    results: Results
    where: Where = None
    rename: Rename = None
    config: Config = None
    allow: Allow = None

    def __post_init__(self) -> None:
        _io.pairs(self.rename, "--map")

    def table(self, *metrics: str, needs: Collection[str] = ("pretrain_tokens",)) -> Any:
        """Read the rows that are asked for."""
        from scalefit.groups import condition
        from scalefit.ingest import table_of

        kept = [condition(text) for text in self.where or ()]
        with doing(f"reading {self.results}"):
            table = table_of(
                self.results,
                mapping=_io.pairs(self.rename, "--map") or None,
                config=self.config,
                allow=_io.names(self.allow) or (),
                metrics=metrics,
                needs=needs,
            )
            for one in kept:
                table = table.where(**dict([one]))
        return table


@dataclass(frozen=True)
class Answer:
    """Where an answer goes: to the terminal, as a table or as JSON, and into a file."""

    output: File = None
    as_json: AsJson = False

    def __post_init__(self) -> None:
        _io.check_suffix(self.output)

    def write(self, result: Any, *, stored: bool = False) -> None:
        """Write a result to the terminal, and to a file; as JSON it is what ``sf.load`` reads, where it is stored."""
        if self.as_json:
            _io.write_json(_io.document_of(result) if stored else result)
        else:
            _io.show(result)
        self.save(result, stored=stored)

    def save(self, result: Any, *, stored: bool = False) -> None:
        """Write a result to the file, if one was named."""
        if self.output is not None:
            _io.save_result(result, self.output, stored=stored)


@dataclass(frozen=True)
class Work:
    """Who does the work."""

    jobs: Jobs = None
    scheduler: Scheduler = None

    def __post_init__(self) -> None:
        if self.jobs is not None and self.scheduler is not None:
            raise ExecutorError("give --jobs for this machine, or --scheduler for a cluster")

    @property
    def executor(self) -> int | str | None:
        """Where work is done, as ``executor=`` takes it."""
        return self.scheduler if self.jobs is None else self.jobs


class Command(TyperCommand):
    """A command without arguments, whose options take every word up to the next one: ``--ref a.txt b.txt``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read ``--ref a b`` as ``--ref a --ref b``, where an option may come several times."""
        several = {
            name for one in self.params if getattr(one, "multiple", False) for name in one.opts
        }
        words, option = list[str](), ""
        for word in () if any(isinstance(one, TyperArgument) for one in self.params) else args:
            if word.startswith("-"):
                option = word.partition("=")[0] if word.partition("=")[0] in several else ""
            elif option and words[-1] != option:
                words.append(option)
            words.append(word)
        return super().parse_args(ctx, words or args)


def spread(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options of its values one by one in its signature, and ``-q``."""
    own = inspect.signature(command, eval_str=True).parameters
    values: dict[str, Any] = {n: p.annotation for n, p in own.items() if is_dataclass(p.annotation)}

    def run(**given: Any) -> Any:
        _refuse_empty(given, options)
        _spare_numpy()
        with quietly(given.pop("quiet")):
            for name, kind in values.items():
                given[name] = kind(**{f.name: given.pop(f.name) for f in fields(kind)})
            return command(**given)

    options = [one for p in own.values() for one in _options(p)]
    options.append(_option("quiet", Quiet, False))
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in options}
    run.__doc__ = command.__doc__
    return run


def _spare_numpy() -> None:
    """Let parts of numpy that no command uses wait until somebody asks for something in them.

    SciPy takes hold of all that numpy has: f2py's parser of Fortran and a framework for tests would be a twentieth of a
    short command's time.
    """
    for name in ("numpy.ctypeslib", "numpy.f2py", "numpy.testing"):
        spec = find_spec(name)
        if name not in sys.modules and spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
            module = sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(module)
            setattr(sys.modules["numpy"], name.removeprefix("numpy."), module)


def _refuse_empty(given: dict[str, Any], options: list[inspect.Parameter]) -> None:
    """Refuse an option that was given with nothing in it, as a shell does of a variable that is not set."""
    for one in options:
        value = given[one.name]
        texts = value if isinstance(value, list) else [value]
        if value != one.default and any(isinstance(t, str) and not t.strip(" ,") for t in texts):
            raise DomainError(
                f"{_flag(one)} was given with nothing in it; give it a value, or leave it out"
            )


def _flag(option: inspect.Parameter) -> str:
    """Return an option as it is typed."""
    (told,) = option.annotation.__metadata__
    if isinstance(told, typer.models.ArgumentInfo):
        return option.name.upper()
    typed = [d for d in (told.default, *(told.param_decls or ())) if str(d).startswith("-")]
    return typed[0] if typed else f"--{option.name.replace('_', '-')}"


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    kind = parameter.annotation
    if not is_dataclass(kind):
        return [_option(parameter.name, kind, parameter.default)]
    hints = get_type_hints(kind, include_extras=True)
    return [_option(f.name, hints[f.name], _default(f)) for f in fields(kind)]


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
