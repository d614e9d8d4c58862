"""python -m services.metrics"""

from services.metrics.app import app
from services.metrics.settings import Settings
from shared import logging, running

settings = Settings()
logging.configure("metrics")
running.serve(app, settings.host, settings.port)
