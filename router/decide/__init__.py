"""Which operators may take a message, in which order."""
