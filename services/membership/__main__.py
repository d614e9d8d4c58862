"""python -m services.membership"""

from services.membership.app import app
from services.membership.settings import Settings
from shared import logging, running
from shared.settings import configured

settings = configured(Settings)
logging.configure("membership")
running.serve(app, settings.host, settings.port)
