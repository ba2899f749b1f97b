"""What it costs, measured. Each ``bench_*.py`` here has a ``main(scale)`` that gives its figures."""
