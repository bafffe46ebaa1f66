"""What to run next, and with how many seeds."""
