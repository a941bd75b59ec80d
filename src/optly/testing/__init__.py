"""
Help for test suites: contract suites for plug-ins, and fakes.

May import `portal` and what it may import, but not `cli`.
"""
