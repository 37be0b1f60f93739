"""Delivery: how a client gets its new key and certificate."""
