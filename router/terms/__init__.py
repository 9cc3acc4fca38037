"""Types that all parts share (pure, standard library only)."""
