"""
A shop that asks before it writes.
"""
