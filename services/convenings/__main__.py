"""python -m services.convenings"""

from services.convenings.app import app
from services.convenings.settings import Settings
from shared import logging, running

settings = Settings()
logging.configure("convenings")
running.serve(app, settings.host, settings.port)
