"""Backup and restore: everything in one file, and never a revocation less."""
