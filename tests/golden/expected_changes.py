"""Answers that are meant to change, and why. What is named here is only asked to be there.

A pattern is a path of ``answers.json`` or ``published.json`` or the beginning of one; ``*`` stands for anything.
Once a change has landed and its numbers were looked at, ``python -m tests.golden.make`` freezes
the new answers, and its entries go to ``LANDED``.
"""

EXPECTED: dict[str, str] = {}

LANDED: dict[str, str] = {
    "seeds/variance/*/pretraining seed/*": "sizes of one run count as far as their seeds move together, not once",
    "seeds/needed/lab*": "the pilot's sizes count as far as their seeds move together",
    "align/unpaired*": "gain and baseline are a pair as any other; of one run the scatter's freedom counts once",
    "fits/in/bleu/de+en en-de 32000": "a descent that runs out of steps stops elsewhere in its valley, 1e-5 away",
    "fits/*/lack_of_fit": "checkpoints of several runs and single points test their law, too",
    "fits/*/ahead": "a law that all runs miss alike has that misfit in its band, beside the spread of runs",
    "fits/*/intervals": "the same for parameters; and what is not identified has no interval of its own",
    "fits/*/tokens/*": "the same for token counts",
    "fits/*/not identified": "identified: an interval much shorter than what was allowed, off the bounds",
    "fits/*/params": "a parameter that is no longer identified has no number of its own",
    "chinchilla/*/lack_of_fit": "a bend in the logarithms of two inputs is looked for",
    "gordon/*/lack_of_fit": "single points are asked for a pattern",
    "gordon/*/intervals/*": "ends of the likelihood region are found between its grid points",
    "align/*128000 bleu/verdict": "a sure trend without a sure fall is `improving`; falls count from 1.4 BLEU",
    "align/*128000 bleu/p": "a group alone keeps Satterthwaite's share of its degrees of freedom",
    "align/*128000 bleu/p_misaligned": "a noisy size is known over the groups of a table",
    "align/*128000 bleu/fall": "a noisy size is known over the groups of a table, and by its own runs",
    "align/*128000 bleu/loss_improves": "a noisy size is known over the groups of a table",
    "align/unpaired en-fr 32000 bleu/verdict": "the scatter of one run counted as if known; six checkpoints tell less",
    "align/unpaired en-fr 32000 bleu/flag": "the same",
    "align/unpaired en-fr 32000 bleu/strength": "the same",
    "align/unpaired en-fr 32000 bleu/p": "single runs are never taken for quieter than their scatter",
    "align/unpaired en-fr 32000 bleu/p_misaligned": "single runs are never taken for quieter than their scatter",
    "align/*32000 bleu/fall": "checkpoints of a named run hang together; its scatter does not count as known noise",
    "align/*32000 bleu/loss_improves": "checkpoints of a named run hang together",
    "gordon, low resource/*/fall": "a group alone keeps Satterthwaite's share of its degrees of freedom",
    "gordon, low resource/*/loss_improves": "a pair of sizes that looks noisier is held to its own noise",
    "align/*128000 bleu/strength": "`improving` is confirmed by several runs, where `inconclusive` was open",
    "align/* en-de 32000 bleu/verdict": "falls count from 1.4 BLEU, which seven people in ten see",
    "align/* en-de 32000 bleu/strength": "falls count from 1.4 BLEU, which seven people in ten see",
    "fits/*/objective": "weights are relative: the objective stays in the unit of the residuals",
    "fits/*/intervals/*": "ends of bent regions are followed farther, by .005 of their length at most",
    "fits/*/ahead/mean/estimate": "descents take their last steps by the gradient: log-laws move by 1e-6",
    "rectified/rectified": "the search finds the optimum where the exponent is small: log-RMSD .0115880 → .0115873",
    "seeds/variance/out/pretraining seed": "the kurtosis of runs is counted whole, not less its error",
    "fits/*/intervals/*/*": "noise that may grow over the sizes makes intervals longer; sizes and scales by a factor",
    "fits/*/ahead/*": "the same for bands and token counts",
    "gordon/*/intervals/*/*": "the same for parameters; a mixture's end is followed by densities, up to .3 % off",
    "fits/*/intervals/*/*/*": "noise may be alike in the other unit, too: single runs' intervals are some 5 % longer",
    "fits/*/ahead/*/*": "the same for bands",
    "gordon/*/intervals/*/*/*": "the same for published curves",
    "seeds/needed/lab, difference 1": "a plan from a pilot is averaged over what both variances may be",
    "fits/*/intervals/*/?": "ends are followed along the region's edge to 1e-3 of their length; most fell short",
    "gordon/*/intervals/*/?": "the same for published curves",
}
"""What has changed since the first freeze, was looked at and is frozen anew: a record, no test asks it."""
