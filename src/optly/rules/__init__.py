"""
The gate: whether a message may be sent or a call made, and why. No decision is legal advice.

May import `record` and what it may import. Pure.
"""

from optly.rules.communication import (
    Call,
    Charity,
    CharityLaw,
    ClientRelationship,
    Communication,
    Facts,
    Listing,
    MessageKind,
    RefusalCost,
    Solicited,
)
from optly.rules.decision import Decision, Duty, Reason
from optly.rules.pecr import UKPECR
from optly.rules.rulebook import Rulebook

__all__ = [
    "UKPECR",
    "Call",
    "Charity",
    "CharityLaw",
    "ClientRelationship",
    "Communication",
    "Decision",
    "Duty",
    "Facts",
    "Listing",
    "MessageKind",
    "Reason",
    "RefusalCost",
    "Rulebook",
    "Solicited",
]
