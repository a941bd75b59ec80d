# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
The model that the admin needs. Django stores only which staff may view contacts.
"""

from __future__ import annotations

from django.db import models


class Contact(models.Model):
    """
    Represents contacts, and carries the permission ``optly.view_contact``. It has no table.
    """

    id = models.CharField(primary_key=True, max_length=32)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "contact"
        verbose_name_plural = "contacts"
