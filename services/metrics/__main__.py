"""python -m services.metrics"""

from services.metrics.app import app
from services.metrics.settings import Settings
from shared import logging, running
from shared.settings import configured

settings = configured(Settings)
logging.configure("metrics")
running.serve(app, settings.host, settings.port)
