"""How much of the spread comes from which seed, and how many seeds a question needs."""
