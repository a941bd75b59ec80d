"""
Who and where: contacts and organisations, their addresses, and the purposes they are written to for.

May import `errors`, `instants`, `canonical` and `locale`.
"""
