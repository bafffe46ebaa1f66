"""Answers that are meant to change, and why. What is named here is only asked to be there.

A pattern is a path of ``answers.json`` or ``published.json`` or the beginning of one; ``*`` stands for anything.
Once a change has landed and its numbers were looked at, ``python -m tests.golden.make`` freezes
the new answers and its entries go.
"""

EXPECTED: dict[str, str] = {
    "fits/*128000/lack_of_fit": "checkpoints of several runs test their law, too",
    "fits/*128000/ahead/run": "the band of a new run takes the scatter between runs, so it has no waist",
    "align/*128000 bleu/verdict": "a sure trend without a sure fall is `improving`, not `inconclusive`",
    "align/*128000 bleu/p": "a pair of sizes that looks noisier than the rest is held to its own noise",
    "align/*128000 bleu/fall": "a pair of sizes that looks noisier than the rest is held to its own noise",
    "align/*128000 bleu/loss_improves": "a pair of sizes that looks noisier is held to its own noise",
    "align/*128000 bleu/strength": "`improving` is confirmed by several runs, where `inconclusive` was open",
    "rectified/rectified": "the search finds the optimum where the exponent is small: log-RMSD .0115880 → .0115873",
}
