# mypy: disable-error-code="import-untyped"
"""
What mails are handed over with: a backend by its path, or one of the ``MAILERS`` that Django has had since 6.1.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings as site
from django.core import mail
from django.utils.module_loading import import_string

GATE: Final = "optly.contrib.django.mail.GatedEmailBackend"


def _mailers() -> dict[str, Any] | None:
    """
    Return the mailers by alias, or None where the site has none.
    """
    return getattr(site, "MAILERS", None) if hasattr(mail, "mailers") else None


def inner_backend(name: str, **options: Any) -> Any:
    """
    Make the backend of that name.

    Args:
        options: For a backend by its path. A mailer has its own.
    """
    return mail.get_connection(name, **options) if _mailers() is None else mail.mailers[name]


def is_gated() -> bool:
    """
    Tell whether any mail of the site goes through the gate.
    """
    mailers = _mailers()
    if mailers is None:
        return bool(site.EMAIL_BACKEND == GATE)
    return any(_is_gate(mailer) for mailer in mailers.values())


def problem_with(name: str) -> str:
    """
    Return what keeps the gate from handing over with the backend of that name, or nothing.
    """
    mailers = _mailers()
    if mailers is not None and name not in mailers:
        return f"MAILERS has no {name!r}, which EMAIL_INNER_BACKEND names"
    if name == GATE or (mailers is not None and _is_gate(mailers[name])):
        return "the gated email backend would hand mails over to itself"
    if mailers is None:
        try:
            import_string(name)
        except ImportError as error:
            return f"EMAIL_INNER_BACKEND cannot be had: {error}"
    return ""


def _is_gate(mailer: dict[str, Any]) -> bool:
    return mailer.get("BACKEND") == GATE
