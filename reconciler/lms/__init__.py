"""Where training lives: one reading adapter a system, and the ways by which a seat is given back."""
