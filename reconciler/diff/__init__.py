"""The pure core: what differs between desired, ledger and actual, and what follows from it.

No I/O, no clock (``now`` is an argument), no logging, no metrics, no vendor. ``plan.plan`` is the way in.
"""
