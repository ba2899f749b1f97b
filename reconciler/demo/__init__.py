"""The story that ``make demo`` tells: the whole program at work on this machine, nobody's account needed.

The LMS is a small one on SQLite, both vendors are simulated on local HTTPS ports; everything between them is
the program as it is. Only this room imports the simulators.
"""
