"""The registry: which certificate belongs to which client, its status, and an audit trail.

Nothing here imports a cryptography library, so that listing clients starts fast.
"""
