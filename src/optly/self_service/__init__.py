"""
The person's face: what someone does for themselves behind a link. The pages stand on it.

May import `_operations` and what it may import.
"""

from optly.self_service.awaited import AsyncPerson, AsyncSelfService
from optly.self_service.blocking import Person, SelfService

__all__ = ["AsyncPerson", "AsyncSelfService", "Person", "SelfService"]
