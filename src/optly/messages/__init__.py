"""
Messages: what is sent, receipts and delivery events, replies, the parts of a text, and the pace of sending.

May import `contacts`, `instants` and what they may import. Pure.
"""

from optly.messages.message import PROMPTLY as PROMPTLY
from optly.messages.message import BatchInterrupted as BatchInterrupted
from optly.messages.message import Content as Content
from optly.messages.message import DeliveryEvent as DeliveryEvent
from optly.messages.message import DeliveryStatus as DeliveryStatus
from optly.messages.message import Fault as Fault
from optly.messages.message import InboundMessage as InboundMessage
from optly.messages.message import Keyword as Keyword
from optly.messages.message import Message as Message
from optly.messages.message import Outcome as Outcome
from optly.messages.message import Receipt as Receipt
from optly.messages.message import no_line_break as no_line_break
from optly.messages.message import says_unsent as says_unsent
