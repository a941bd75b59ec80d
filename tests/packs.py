"""
An evidence pack to look at and to spoil.
"""

from __future__ import annotations

import json
from typing import Any

from world import EMAIL_OFFERS, SMS_OFFERS, World, world

from optly import Channel, Content, Context
from optly.messages import Outcome, Receipt
from optly.testing.messages import code_in


def packed() -> tuple[World, str]:
    """
    Make a world in which Ada was asked, answered and stopped something, and return her pack as JSON.
    """
    w = world()
    ada = w.add()
    w.emails.outcomes.append(Receipt(outcome=Outcome.ACCEPTED, reply="250 queued as 77", code=250))
    code = code_in(w.ask(ada))
    w.later()
    w.manager.answer(
        code, {EMAIL_OFFERS: True, SMS_OFFERS: False}, context=Context(address="203.0.113.9", browser="<b>Lynx</b>")
    )
    w.later()
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    w.manager.deliver()
    w.later()
    w.manager.withdraw(ada, channels=[Channel.EMAIL])
    w.manager.add_contact(email="bob@example.com")
    return w, w.manager.evidence(ada).to_json()


_, PACK = packed()
DATA: dict[str, Any] = json.loads(PACK)
