"""Google and Microsoft as they answer on the wire, for the demo and for tests.

Written from the vendors' documents alone: nothing here imports the rest of the program, and the
rest of the program (but for the demo) does not import this.
"""
