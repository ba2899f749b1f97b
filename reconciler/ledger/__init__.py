"""Our state database, on SQLite or PostgreSQL: what we last did about every event, and for whom."""
