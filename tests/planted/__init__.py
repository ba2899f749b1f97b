"""Bugs that are planted on purpose, each the breach of one rule, to see that the tests notice."""
