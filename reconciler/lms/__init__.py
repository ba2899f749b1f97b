"""Where training lives: one reading adapter a system, and beside it the ways by which a seat is given back."""
