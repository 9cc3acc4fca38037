"""An SMPP aggregator and router: clients in, operators out, receipts back."""
