"""The words every stage speaks (pure, standard library only)."""
