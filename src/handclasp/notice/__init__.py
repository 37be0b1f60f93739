"""Telling people: a channel takes a batch of notices or says why it could not."""
