"""
Optly in other frameworks. Each module is thin, and needs the extra of the same name.

May import every other package.
"""
