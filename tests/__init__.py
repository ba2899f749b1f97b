"""A package only so that ``tests.support`` can be imported; the tests themselves stand apart."""
