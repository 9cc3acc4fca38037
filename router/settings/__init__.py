"""From YAML to settings, or all mistakes at once, each with its place."""
