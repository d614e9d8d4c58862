"""python -m services.convenings"""

from services.convenings.app import app
from services.convenings.settings import Settings
from shared import logging, running
from shared.settings import configured

settings = configured(Settings)
logging.configure("convenings")
running.serve(app, settings.host, settings.port)
