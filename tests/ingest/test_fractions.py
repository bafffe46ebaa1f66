"""A metric in fractions is told in percent by what its error says, at every door and in every kind of table."""

import json

import pytest

import scalefit as sf
from scalefit.errors import TableError

LONG = "tokens,metric,value,stderr\n1M,{0},0.25,.01\n4M,{0},0.5,.01\n4M,ter,0.75,1\n"
WIDE = "tokens,{0},{0}_stderr,ter\n1M,0.25,.01,\n4M,0.5,.01,0.75\n"
LOG = json.dumps({"eval_{}": 0.25, "eval_loss": 2.5, "eval_ter": 0.75})


@pytest.mark.parametrize("name", ["bleu", "BLEU", "sacrebleu", "chrF"])
@pytest.mark.parametrize("kind", ["long.csv", "wide.csv", "all_results.json"])
def test_the_cure_of_fractions_is_one(tmp_path, name, kind):
    path = tmp_path / kind
    text = {"long.csv": LONG, "wide.csv": WIDE}.get(kind, LOG)
    path.write_text(text.replace("{0}", name).replace("eval_{}", f"eval_{name}"))
    with pytest.raises(TableError, match="look like fractions") as error:
        sf.read(path)
    metric = "chrf" if name == "chrF" else "bleu"
    assert f"mapping={{'{metric}*100': '{metric}'}}" in str(error.value)
    table = sf.read(path, mapping={f"{metric}*100": metric})
    ours = table.where(metric=metric)
    assert ours.column("value").tolist() == [25.0, 50.0][: len(ours)]
    if ours.has("stderr"):
        assert ours.column("stderr").tolist() == [1.0, 1.0]
    assert table.where(metric="ter").column("value").tolist() == [0.75]
