"""Credentials of people's connections, encrypted at rest."""
