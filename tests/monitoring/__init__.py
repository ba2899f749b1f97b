"""A real Prometheus looks at the daemon: its rules, its alerts, and the dashboard after a faulty hour."""
