"""
Acme on Django: ``python examples/django/manage.py runserver``
"""

from __future__ import annotations

import os
import signal
import sys

from django.core.management import execute_from_command_line
from django.core.management.commands.runserver import Command as RunServer

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
    RunServer.default_port = os.environ.get("PORT", "8000")
    # Exit normally on SIGTERM, so that work in progress is finished.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    execute_from_command_line(sys.argv)
