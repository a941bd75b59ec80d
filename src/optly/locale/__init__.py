"""
The catalogues that come with Optly, and ``optly.pot``, from which a new one is begun.
"""
