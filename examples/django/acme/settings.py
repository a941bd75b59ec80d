"""
The settings of the site. Those for mail and Optly are at the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "an example key, which is not secret either")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "acme.urls"
WSGI_APPLICATION = "acme.wsgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "optly.contrib.django",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Django's own tables, for logging in to the admin. Optly uses a separate file.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django-example.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
TIME_ZONE = "UTC"

# ---- mail: every email from the site goes through the gate

SMTP = os.environ.get("OPTLY_EXAMPLE_SMTP")
SENDER = "Acme <hello@acme.example.com>"

EMAIL_BACKEND = "optly.contrib.django.mail.GatedEmailBackend"
DEFAULT_FROM_EMAIL = SENDER
if SMTP:
    EMAIL_HOST, EMAIL_PORT = urlsplit(SMTP).hostname, urlsplit(SMTP).port or 25

# ---- Optly

OPTLY = {
    "ORGANISATION": {
        "key": "acme",
        "name": "Acme Ltd",
        "address": "1 High Street, Leeds LS1 1AA",
        "freephone": "0800 496 0000",
        "email": "privacy@acme.example.com",
    },
    "PURPOSES": [
        {"key": "offers", "title": "Offers and discounts on our products"},
        {"key": "news", "title": "News about what we do"},
    ],
    "STORAGE": os.environ.get("OPTLY_EXAMPLE_DATABASE", "sqlite:///optly-example.db"),
    "BACKENDS": [
        {"BACKEND": "optly.backends.SMTPBackend", "OPTIONS": {"url": SMTP, "sender": SENDER}}
        if SMTP
        else "optly.backends.ConsoleBackend",
        {"BACKEND": "acme.texts.backend", "OPTIONS": {}},
    ],
    "KEYS": [os.environ.get("OPTLY_EXAMPLE_KEY", "an example key, which is not secret")],
    "BASE_URL": os.environ.get("OPTLY_EXAMPLE_BASE_URL", "http://127.0.0.1:8000/my"),
    # Sends an email that the gate has allowed.
    "EMAIL_INNER_BACKEND": f"django.core.mail.backends.{'smtp' if SMTP else 'console'}.EmailBackend",
    # Password resets are unmarked, and sent; all of our marketing is marked, in views.py.
    "UNMARKED": "service",
}
