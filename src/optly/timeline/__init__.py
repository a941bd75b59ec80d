"""
A contact's events in words: what happened, for those who judge the evidence and for the person.

May import `record`, `rendering` and what they may import. Pure.
"""
