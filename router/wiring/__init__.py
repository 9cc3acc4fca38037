"""The process: start and stop, control over HTTP, the command line."""
