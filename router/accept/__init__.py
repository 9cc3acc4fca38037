"""A client connects, proves who it is, and submits."""
