"""The use cases: plain functions over ports, one file each; what takes several files has a folder.

A certificate leaves only after its row is durable.
"""
