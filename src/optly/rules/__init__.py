"""
The gate: may this message go out, and why.

No decision is legal advice.
"""

from optly.rules.communication import Communication, MessageKind, Solicited
from optly.rules.decision import Decision, Duty, Reason
from optly.rules.pecr import UKPECR
from optly.rules.rulebook import Rulebook

__all__ = [
    "UKPECR",
    "Communication",
    "Decision",
    "Duty",
    "MessageKind",
    "Reason",
    "Rulebook",
    "Solicited",
]
