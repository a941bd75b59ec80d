"""
The settings of the pages.
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
    How the pages look and what they allow. Every setting is optional.

    Attributes:
        keep_context: Whether the network address and the browser of the person are kept with their answer. They are not
            by default.
        on_received: Called with the result of each webhook event once it is recorded: the place to forward what people
            write. If it raises, the provider sends the event again, and the record stays as it is.
        theme: The colour and logo of the organisation.
        templates: Directories with templates for parts of the pages, which come before ours.
        hold_yes_within: A yes within this time of its message is held until the person confirms it, because mail
            security programs press buttons. One minute by default; None holds nothing.
        limits: How often costly actions may be requested.
        proxies: The number of proxies in front of the server that add to ``X-Forwarded-For``; 0 by default.
        api: Whether the JSON API is served under ``/api``. It is not by default.
    """

    keep_context: bool
    on_received: Callable[[Received], object] | None
    theme: Theme
    templates: Sequence[Path | str]
    hold_yes_within: timedelta | None
    limits: Limits
    proxies: int
    api: bool
