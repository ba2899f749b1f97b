"""What it costs, measured. Each ``bench_*.py`` here has a ``main()`` that prints its own lines."""
