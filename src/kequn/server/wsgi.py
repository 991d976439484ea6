"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kequn.server.settings")
application = get_wsgi_application()

from kequn.server import warming  # noqa: E402 - Django's apps are ready from here on

warming.begin()
