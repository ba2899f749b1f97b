"""The operations listener: how it stands, for people (``/``), for Prometheus and for whoever restarts it.

It is apart from the pages for learners, has no password, and listens on loopback unless told otherwise.
"""

from reconciler.ops.app import worker_app
from reconciler.ops.listener import app_of, broker_of, listening, serving

__all__ = ["app_of", "broker_of", "listening", "serving", "worker_app"]
