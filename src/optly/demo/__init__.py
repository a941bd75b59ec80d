"""
``optly demo``: a company that asks, somebody who answers, and everything in between, on this machine.
"""
