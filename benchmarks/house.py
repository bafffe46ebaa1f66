"""Measure the house: ``python benchmarks/house.py [--against GITREF]``.

Reads source text only and imports nothing of the package, so that any commit can be measured.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "scalefit"
FOLDERS = ("fitting", "alignment")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """One file, by its dotted name."""

    name: str
    text: str
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions, methods and inner ones included."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]

    @property
    def comments(self) -> int:
        """Lines with a comment that is not an order to a tool."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        said = [t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT]
        return sum(not text.startswith(("noqa", "type:", "fmt:", "pragma")) for text in said)

    def named_by(self, node: ast.ImportFrom) -> str:
        """Full name of the module that ``from X import …`` speaks of."""
        if node.level == 0:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*base, *([node.module] if node.module else [])])

    def defined(self) -> set[str]:
        """Functions, classes and other names that are made at the top of the file."""
        names = {n.name for n in self.tree.body if isinstance(n, (*FUNCTIONS, ast.ClassDef))}
        plain = [n for n in self.tree.body if isinstance(n, ast.Assign)]
        names |= {t.id for n in plain for t in n.targets if isinstance(t, ast.Name)}
        return {name for name in names if not name.startswith("__")}


@dataclass(frozen=True)
class House:
    """All modules of the package at one commit."""

    modules: Mapping[str, Module]
    stubs: Mapping[str, Module]

    def imports(self, module: Module, within: ast.AST) -> Iterator[str]:
        """Own modules that are imported anywhere below a node, types' imports aside."""
        for node in _walk(within):
            if isinstance(node, ast.Import):
                yield from (a.name for a in node.names if a.name in self.modules)
            elif isinstance(node, ast.ImportFrom):
                base = module.named_by(node)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    if inner in self.modules or base in self.modules:
                        yield inner if inner in self.modules else base

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """Module → modules that it imports."""
        return {n: {*self.imports(m, m.tree)} - {n} for n, m in self.modules.items()}

    @cached_property
    def clients(self) -> Counter[str]:
        """How many files import each module; a package's own list of names does not count."""
        return Counter(
            used
            for name, uses in self.graph.items()
            for used in uses
            if not used.startswith(f"{name}.") or not self.modules[name].is_package
        )

    def depth(self, folder: str) -> int:
        """Length of the longest chain of imports among a folder's files; late ones, which may close circles, aside."""
        inside = {n for n, m in self.modules.items() if folder in n.split(".") and not m.is_package}
        late = {(name, used) for name, _, used in self.late_imports}
        return _longest(
            {n: {u for u in self.graph[n] & inside if (n, u) not in late} for n in inside}
        )

    @cached_property
    def twice(self) -> dict[str, list[str]]:
        """Public names that more than one file defines; commands, which share names with what they call, aside."""
        homes = defaultdict(list)
        for name, module in self.modules.items():
            for defined in module.defined() if ".cli" not in name else ():
                homes[defined].append(name)
        return {k: v for k, v in sorted(homes.items()) if len(v) > 1 and not k.startswith("_")}

    @cached_property
    def public(self) -> dict[str, str | None]:
        """Public callable → its docstring."""
        stub = self.stubs[PACKAGE]
        nodes = {
            alias.asname or alias.name: self._definition(stub.named_by(node), alias.name)
            for node in stub.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        return {name: ast.get_docstring(node) for name, node in nodes.items() if node is not None}

    def _definition(self, home: str, name: str) -> ast.FunctionDef | ast.ClassDef | None:
        """Follow a name through the packages that pass it on; of overloads the last, which has the body."""
        files = [m[home] for m in (self.modules, self.stubs) if home in m]
        nodes = [(file, node) for file in files for node in reversed(file.tree.body)]
        for file, node in nodes:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                if any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
                    continue
                return node
            if isinstance(node, ast.ImportFrom) and file.named_by(node) != home:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._definition(file.named_by(node), alias.name)
        return None

    @cached_property
    def late_imports(self) -> list[tuple[str, str, str]]:
        """(module, function, own module that it imports only when it is called)."""
        return sorted({
            (name, function.name, used)
            for name, module in self.modules.items()
            for function in module.functions
            for used in self.imports(module, function)
        })  # fmt: skip

    @cached_property
    def by_string(self) -> list[tuple[str, str]]:
        """(module, own module that it imports by a string), out of the linter's sight."""
        return sorted(
            (name, str(node.args[0].value))
            for name, module in self.modules.items()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            and _called(node) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and str(node.args[0].value).startswith((PACKAGE, "."))
        )

    def numbers(self) -> dict[str, str]:
        """Each measure by its name, written out."""
        lines = [len(m.text.splitlines()) for m in self.modules.values()]
        files = {n: m for n, m in self.modules.items() if not m.is_package}
        functions = [f for m in self.modules.values() for f in m.functions]
        lengths = [(f.end_lineno or f.lineno) - f.lineno + 1 for f in functions]
        shown = [doc for doc in self.public.values() if doc and ">>> " in doc]
        comments = sum(m.comments for m in self.modules.values())
        return {
            "files": f"{len(lines)}",
            "lines": f"{sum(lines):,}",
            "median file, lines": f"{median(lines):.0f}",
            "longest file, lines": f"{max(lines)}",
            "functions": f"{len(functions):,}",
            "median function, lines": f"{median(lengths):.0f}",
            "modules with one client": f"{sum(self.clients[n] == 1 for n in files)} of {len(files)}",
            **{f"floors of {folder}": f"{self.depth(folder)}" for folder in FOLDERS},
            "public names defined twice": f"{len(self.twice)}",
            "lines with a comment": f"{comments} ({comments / sum(lines):.1%})",
            "public callables with an example": f"{len(shown)} of {len(self.public)}",
            "own imports inside functions": f"{sum('.cli' not in n for n, *_ in self.late_imports)}",
            "own modules imported by a string": f"{len(self.by_string)}",
        }


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk as ``ast.walk`` does, past ``if TYPE_CHECKING``."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _longest(graph: Mapping[str, set[str]]) -> int:
    """Nodes on the longest chain of a graph without circles."""
    height: dict[str, int] = {}
    for node in TopologicalSorter(graph).static_order():
        height[node] = 1 + max((height[n] for n in graph[node]), default=0)
    return max(height.values(), default=0)


def house_of(files: Mapping[str, str]) -> House:
    """Build the house from paths and their text."""

    def modules(suffix: str) -> dict[str, Module]:
        out = {}
        for path, text in sorted(files.items()):
            if path.endswith(suffix):
                parts = path.removesuffix(suffix).split("/")
                whole = parts[-1] == "__init__"
                name = ".".join(parts[:-1] if whole else parts)
                out[name] = Module(name, text, whole)
        return out

    return House(modules(".py"), modules(".pyi"))


def here(root: Path = ROOT) -> House:
    """Measure the working tree."""
    paths = [p for s in ("py", "pyi") for p in (root / PACKAGE).rglob(f"*.{s}")]
    return house_of({p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in paths})


def at(ref: str) -> House:
    """Measure a commit."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", ref, PACKAGE], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = [m for m in archive if m.isfile() and m.name.endswith((".py", ".pyi"))]
        read = {m.name: archive.extractfile(m) for m in members}
        return house_of({name: f.read().decode() for name, f in read.items() if f is not None})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="GITREF", help="a commit to stand beside")
    parser.add_argument(
        "--twice", action="store_true", help="list the names that are defined twice"
    )
    options = parser.parse_args()
    columns = {options.against: at(options.against).numbers()} if options.against else {}
    now = here()
    columns["now"] = now.numbers()
    print("| | " + " | ".join(columns) + " |")
    print("|---|" + "--:|" * len(columns))
    for name in columns["now"]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns.values()) + " |")
    for name, homes in now.twice.items() if options.twice else ():
        print(f"{name}: {', '.join(homes)}")


if __name__ == "__main__":
    main()
