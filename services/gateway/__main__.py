"""python -m services.gateway"""

from services.gateway.app import app
from services.gateway.settings import Settings
from shared import logging, running
from shared.settings import configured

settings = configured(Settings)
logging.configure("gateway")
running.serve(app, settings.host, settings.port)
