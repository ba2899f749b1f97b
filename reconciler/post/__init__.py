"""Who is mailed what and when: letters planned, written down, sent once, and what became of them."""
