"""
Optly inside of other frameworks. Each module is thin, and needs the extra of its name.
"""
