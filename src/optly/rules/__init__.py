"""
The gate: may this message go out, and why.
"""

from optly.rules.decision import Decision, Duty, Reason

__all__ = ["Decision", "Duty", "Reason"]
