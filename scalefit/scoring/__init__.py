"""Hypotheses in, BLEU, chrF, TER and COMET out."""
