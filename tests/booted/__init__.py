"""The service under a real systemd: `make try-unit`."""
