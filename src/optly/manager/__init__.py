"""
The organisation's face: what a host calls.

May import `self_service`, the `portal` that it mounts, and what they may import.
"""

from optly.manager.awaited import AsyncConsentManager
from optly.manager.blocking import ConsentManager

__all__ = ["AsyncConsentManager", "ConsentManager"]
