"""
The URLs. The MyOptly pages are at the path of ``BASE_URL``.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from acme import views

urlpatterns = [
    path("", views.sign_up),
    path("offer", views.send_offer),
    path("my/", include("optly.contrib.django.urls")),
    path("admin/", admin.site.urls),
]
