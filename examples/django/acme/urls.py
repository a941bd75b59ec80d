"""
What is where. The MyOptly pages are where ``BASE_URL`` says.
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
