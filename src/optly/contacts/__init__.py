"""
Contacts and organisations, their addresses, and the purposes of messages.

May import `errors`, `instants`, `canonical` and `locale`.
"""
