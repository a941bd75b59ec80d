"""
``optly check``: the gate's decision on one message, explained.
"""
