"""
Acme on Flask: ``python -m examples.flask.app``
"""

from __future__ import annotations

import logging

from flask import Flask, request

from examples import common
from optly.contrib.flask import FlaskOptly, current_manager
from optly.portal import RedactLinks


def create_app() -> Flask:
    """
    Make the application, with the MyOptly pages at the path of ``base_url``.
    """
    app = Flask(__name__)
    app.config["OPTLY_MANAGER"] = common.open_manager
    FlaskOptly(app)

    @app.get("/")
    def home() -> str:
        return common.home()

    @app.post("/")
    def sign_up() -> tuple[str, int]:
        status, html = common.sign_up(current_manager, request.form)
        return html, status

    @app.get("/offer")
    def offer() -> str:
        return common.offer()

    @app.post("/offer")
    def send_offer() -> tuple[str, int]:
        status, html = common.send_offer(current_manager, request.form)
        return html, status

    return app


if __name__ == "__main__":
    app = create_app()
    logging.getLogger("werkzeug").addFilter(RedactLinks())
    with app.extensions["optly"].manager as manager, common.working(manager), common.until_stopped():
        app.run(host="127.0.0.1", port=common.PORT)
