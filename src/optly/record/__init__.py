"""
What happened, and what follows from it: events, commands, the core that decides, and the chain they are kept in.

May import `contacts`, `messages` and what they may import. Pure.
"""
