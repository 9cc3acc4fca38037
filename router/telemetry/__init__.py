"""What people and Prometheus see of the router: the log, metrics, the status document."""
