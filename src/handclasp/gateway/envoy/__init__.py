"""The table, written down for Envoy: its files, its process, its word on what is in force."""
