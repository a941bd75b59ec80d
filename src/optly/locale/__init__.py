"""
The catalogues of translations that come with Optly, and ``optly.pot``, from which to start a new one.

May import `errors`.
"""
