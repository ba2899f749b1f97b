"""The application: its pages, its sessions, its words."""

from __future__ import annotations

from typing import Any

from flask import Flask, url_for
from markupsafe import Markup

from reconciler.web import arriving, connecting, guard, owner, person, seats, signing_in, words
from reconciler.web.sessions import SealedSessions
from reconciler.web.site import Site

LARGEST_FORM = 64 * 1024


def create_app(site: Site) -> Flask:
    """The pages of one site, as a WSGI application."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_FORM, MAX_FORM_PARTS=200)
    app.extensions["site"] = site
    app.session_interface = SealedSessions()
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # Added by the extension to the environment, which does not say so.
    environment: Any = app.jinja_env
    environment.install_gettext_callables(words._, words.ngettext, newstyle=True)
    app.jinja_env.globals.update(words=words, csrf=_csrf, site=site, browser=guard.browser, static=_static)
    guard.install(app)
    for room in (arriving, person, connecting, signing_in, seats, owner):
        app.register_blueprint(room.pages)
    return app


def _csrf() -> Markup:
    """The hidden field that makes a form ours."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(guard.browser().csrf)


def _static(name: str) -> str:
    return url_for("static", filename=name)
