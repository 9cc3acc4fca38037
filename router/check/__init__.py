"""Whether a client may send a message, and the normal form of its number."""
