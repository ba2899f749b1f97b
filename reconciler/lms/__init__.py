"""Where training lives: one adapter a system. They only read, and share no code with whoever writes there."""
