"""Paths between finetuned checkpoints: barriers, basins, out-of-domain behaviour."""
