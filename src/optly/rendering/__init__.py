"""
What each message says, in which language, and what it looks like: grouped by what they are sent for. Pure.

Nothing that someone typed into a form goes into a request, not even a name: otherwise a stranger could be sent any
words through us.

Each function of a message takes the letterhead first.

May import `messages`, `rules` and what they may import.
"""

from optly.rendering._templates import Letterhead as Letterhead
from optly.rendering._templates import render as render
from optly.rendering.complaints import complaint_alert as complaint_alert
from optly.rendering.complaints import complaint_outcome as complaint_outcome
from optly.rendering.complaints import complaint_received as complaint_received
from optly.rendering.promotions import marketing as marketing
from optly.rendering.promotions import unsubscribe_headers as unsubscribe_headers
from optly.rendering.receipts import changed_notice as changed_notice
from optly.rendering.receipts import receipt as receipt
from optly.rendering.receipts import stopped_notice as stopped_notice
from optly.rendering.requests import request as request
from optly.rendering.services import code_message as code_message
from optly.rendering.services import copy_message as copy_message
from optly.rendering.services import help_text as help_text
from optly.rendering.services import link_message as link_message
from optly.rendering.services import way_back_message as way_back_message
