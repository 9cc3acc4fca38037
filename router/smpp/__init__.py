"""The wire language: bytes, PDUs, sessions (pure)."""
