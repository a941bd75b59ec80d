"""
``optly check``: one question to the gate, and its answer in words.
"""
