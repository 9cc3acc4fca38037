"""What happens to a message: a file per step, a plain object each, which owns its state."""
