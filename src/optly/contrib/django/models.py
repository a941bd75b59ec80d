# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
What the admin names: contacts, of which Django keeps nothing but who of the staff may see them.
"""

from __future__ import annotations

from django.db import models


class Contact(models.Model):
    """
    Stands for the contacts on record, and has the permission ``optly.view_contact``. There is no table of it.
    """

    id = models.CharField(primary_key=True, max_length=32)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "contact"
        verbose_name_plural = "contacts"
