"""
A shop that asks people before it sends them marketing.
"""
