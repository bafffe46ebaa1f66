"""What is known about one quality curve, a piece a file: its numbers, its line, its dictionary."""
