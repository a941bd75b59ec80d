"""
What a host can set of the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from optly.portal.limits import Limits
    from optly.portal.theme import Theme
    from optly.results import Received

HOLD_YES_WITHIN: Final = timedelta(minutes=1)


class PortalSettings(TypedDict, total=False):
    """
    How the pages look and what they allow. Each can be left out.

    Attributes:
        keep_context: Whether the network address and the browser of whoever answers are kept with the answer. By
            default they are not.
        on_received: Told what came of each event that a webhook brought, after it is on record: the place to pass on
            what people write. If it raises, the provider comes again, and what is on record stays as it is.
        theme: Colour and logo of the organisation.
        templates: Directories with templates that come before those of the pages.
        hold_yes_within: A yes that comes so soon after its message went out is held until the person confirms it,
            because programs that guard mailboxes press buttons. One minute by default; None holds nothing.
        limits: How often what costs something can be asked for.
        proxies: How many proxies stand in front of the server and write ``X-Forwarded-For``; 0 by default.
        api: Whether the JSON API answers under ``/api``. By default it does not.
    """

    keep_context: bool
    on_received: Callable[[Received], object] | None
    theme: Theme
    templates: Sequence[Path | str]
    hold_yes_within: timedelta | None
    limits: Limits
    proxies: int
    api: bool
