"""What a curve says about sizes that were not measured."""
