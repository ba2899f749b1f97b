"""The demo that one plays oneself: an LMS and two vendors' calendars as pages, and the program between them.

``make demo-live`` starts it: the simulated vendors, a small LMS, the daemon as a process of its own, and one
page on loopback from which everything can be reached. When it ends it leaves nothing behind.
"""
