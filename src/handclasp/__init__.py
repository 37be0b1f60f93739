"""Handclasp: mutual TLS, end to end, for teams that expose or call APIs."""

__version__ = "0.1.0"
