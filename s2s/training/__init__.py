"""Training: the loop, its loss, its learning rates, and the state that continues it."""
