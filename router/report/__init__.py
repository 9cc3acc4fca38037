"""The receipt comes back, is matched, and goes to the client."""
