"""The log, the metrics and the status document: what people and Prometheus see of the router."""
