"""What every SQL registry shares: its statements, written once as constants, and records made from rows.

`sqlite.py` and `postgresql.py` bring the connection, the transaction and the driver's errors.
"""
