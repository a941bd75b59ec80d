"""
What happened, and what follows from it: events, commands, the core that decides, and the ledger.

May import `contacts`, `messages` and what they may import. Pure.
"""
