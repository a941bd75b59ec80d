"""
The ports: what a plug-in implements, and the values that pass through them.

A plug-in is passed in, not registered. It satisfies one of these protocols and passes the contract suite of the same
name in :mod:`optly.testing`. May import `record`, `messages`, `contacts` and what they may import.
"""

from optly.protocols.awaited import AsyncAnchor as AsyncAnchor
from optly.protocols.awaited import AsyncBatchBackend as AsyncBatchBackend
from optly.protocols.awaited import AsyncMessageBackend as AsyncMessageBackend
from optly.protocols.awaited import AsyncRegister as AsyncRegister
from optly.protocols.awaited import AsyncStorage as AsyncStorage
from optly.protocols.awaited import AsyncTracingBackend as AsyncTracingBackend
from optly.protocols.blocking import Anchor as Anchor
from optly.protocols.blocking import BatchBackend as BatchBackend
from optly.protocols.blocking import MessageBackend as MessageBackend
from optly.protocols.blocking import Register as Register
from optly.protocols.blocking import Storage as Storage
from optly.protocols.blocking import TracingBackend as TracingBackend
from optly.protocols.plain import Clock as Clock
from optly.protocols.plain import OnCommit as OnCommit
from optly.protocols.plain import TakesReplies as TakesReplies
from optly.protocols.plain import TransactionalStorage as TransactionalStorage
from optly.protocols.plain import WebhookBackend as WebhookBackend
from optly.protocols.values import UNDATED as UNDATED
from optly.protocols.values import Claim as Claim
from optly.protocols.values import Commit as Commit
from optly.protocols.values import Found as Found
from optly.protocols.values import Head as Head
from optly.protocols.values import Identifier as Identifier
from optly.protocols.values import Listing as Listing
from optly.protocols.values import LogHead as LogHead
from optly.protocols.values import MessageState as MessageState
from optly.protocols.values import OutboxMessage as OutboxMessage
from optly.protocols.values import Reference as Reference
from optly.protocols.values import RegisterName as RegisterName
from optly.protocols.values import Renewal as Renewal
from optly.protocols.values import Row as Row
from optly.protocols.values import RowKind as RowKind
from optly.protocols.values import SealedLeaf as SealedLeaf
from optly.protocols.values import Settlement as Settlement
from optly.protocols.values import StoredCode as StoredCode
from optly.protocols.values import StoredComplaint as StoredComplaint
from optly.protocols.values import StoreSize as StoreSize
from optly.protocols.values import Suppression as Suppression
from optly.protocols.values import Traced as Traced
from optly.protocols.values import Webhook as Webhook
from optly.protocols.values import with_mac as with_mac
