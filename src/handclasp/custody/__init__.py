"""Custody: where CA private keys rest."""
