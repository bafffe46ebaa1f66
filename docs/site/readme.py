"""Make the README's picture and table anew, from the data of the package: ``python docs/site/readme.py``."""

import re
from pathlib import Path

import scalefit as sf
from scalefit.rows import markdown_table

ROOT = Path(__file__).resolve().parents[2]
CELL = {"task": "en-fr", "finetune_tokens": 128_000, "domain": "in"}
KEPT = ("corpus", "p_best", "estimate", "low", "high", "alignment")
BLOCK = re.compile(r"(<!-- table -->\n).*?(\n<!-- /table -->)", re.DOTALL)


def table() -> str:
    """Return which corpus to choose at 10M tokens, as a table in Markdown."""
    ranking = sf.rank(sf.datasets.transfer_lab(), at="10M", where=CELL).only
    rows = [{name: row[name] for name in KEPT} for row in ranking.shown()]
    return markdown_table(rows).strip()


def main() -> None:
    """Write both."""
    forecast = sf.forecast(sf.datasets.transfer_lab(), target=12.0, where=CELL)
    forecast.plot().savefig(ROOT / "docs" / "forecast.png", dpi=160)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(BLOCK.sub(lambda m: m[1] + table() + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
