"""Answers as they are today, frozen before the house is rebuilt."""
