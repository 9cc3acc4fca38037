"""Receipts: from the operator, to their message, and on to the client."""
