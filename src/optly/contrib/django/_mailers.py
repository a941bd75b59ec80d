# mypy: disable-error-code="import-untyped"
"""
The backend that sends emails: named by its path, or by its alias in ``MAILERS`` since Django 6.1.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings as site
from django.core import mail
from django.utils.module_loading import import_string

GATE: Final = "optly.contrib.django.mail.GatedEmailBackend"


def _mailers() -> dict[str, Any] | None:
    """
    Return the mailers by alias, or None if the site has none.
    """
    return getattr(site, "MAILERS", None) if hasattr(mail, "mailers") else None


def inner_backend(name: str, **options: Any) -> Any:
    """
    Make the backend with that name.

    Args:
        options: For a backend named by its path. A mailer has its own options.
    """
    return mail.get_connection(name, **options) if _mailers() is None else mail.mailers[name]


def is_gated() -> bool:
    """
    Return whether any email of the site goes through the gate.
    """
    mailers = _mailers()
    if mailers is None:
        return bool(site.EMAIL_BACKEND == GATE)
    return any(_is_gate(mailer) for mailer in mailers.values())


def problem_with(name: str) -> str:
    """
    Return why the gate cannot send with the backend of that name. Empty if it can.
    """
    mailers = _mailers()
    if mailers is not None and name not in mailers:
        return f"EMAIL_INNER_BACKEND names {name!r}, which is not in MAILERS"
    if name == GATE or (mailers is not None and _is_gate(mailers[name])):
        return "the gated email backend would send emails through itself"
    if mailers is None:
        try:
            import_string(name)
        except ImportError as error:
            return f"EMAIL_INNER_BACKEND cannot be imported: {error}"
    return ""


def _is_gate(mailer: dict[str, Any]) -> bool:
    return mailer.get("BACKEND") == GATE
