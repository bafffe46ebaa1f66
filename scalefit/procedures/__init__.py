"""Whether one procedure is better than another, over seeds and test examples."""
