"""Out through an operator's binds, within rate and window."""
