"""
The catalogues that come with Optly, and ``optly.pot``, the template for a new one.

May import `errors`.
"""
