"""Settings, telemetry, the control interface, and where the parts meet."""
