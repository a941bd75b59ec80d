"""
The application for a server, with a thread that sends messages. Outside an example, run that as a separate process:
``manage.py optly worker``.
"""

from __future__ import annotations

import atexit
import os
from datetime import timedelta
from threading import Event, Thread

from django.core.wsgi import get_wsgi_application

from optly.contrib.django import get_manager
from optly.worker import work

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
application = get_wsgi_application()

stop = Event()
worker = Thread(target=work, args=(get_manager(),), kwargs={"stop": stop, "idle": timedelta(seconds=0.5)}, daemon=True)
worker.start()
atexit.register(worker.join)
atexit.register(stop.set)
