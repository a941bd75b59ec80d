"""
What happened in words, for the evidence and for the person.

May import `record`, `rendering` and what they may import. Pure.
"""
