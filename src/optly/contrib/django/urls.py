# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
The MyOptly pages: ``path("my/", include("optly.contrib.django.urls"))``, where ``BASE_URL`` ends with ``/my``.
"""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from optly.contrib.django.views import pages


class _Rest(StringConverter):
    """
    The rest of the path, even if it is empty or contains line breaks. The pages check it themselves.
    """

    regex = r"[\s\S]*"


register_converter(_Rest, "optly_rest")

app_name = "optly"
urlpatterns = [path("<optly_rest:rest>", pages, name="pages")]
