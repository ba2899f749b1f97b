"""A simulated world around the real program: what may go wrong anywhere, and what must hold whatever does."""
