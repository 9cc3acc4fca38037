"""Reads settings from YAML, or reports all mistakes at once, each with its place."""
