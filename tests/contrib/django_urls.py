"""
The URLs of the site that the tests of Django run.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def shop(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("the shop")


urlpatterns = [
    path("", shop),
    path("my/", include("optly.contrib.django.urls")),
    path("admin/", admin.site.urls),
]
