"""An operator (SMSC) and a client (ESME) that are not there, for trials, tests and benchmarks."""
