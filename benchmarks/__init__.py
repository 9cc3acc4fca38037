"""What the router can do, measured; README.md says what each number means and does not."""
