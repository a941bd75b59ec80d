"""
Acme on FastAPI: ``python -m examples.fastapi.app``
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from examples import common
from optly.contrib.fastapi import OptlyDep, lifespan, mount
from optly.portal import RedactLinks

manager = common.open_manager()


@asynccontextmanager
async def working(_app: FastAPI) -> AsyncIterator[None]:
    """
    Send messages while the application runs.
    """
    with common.working(manager):
        yield


app = FastAPI(lifespan=lifespan(manager, around=working))
mount(app, manager)

Field = Annotated[str, Form()]


@app.get("/", response_class=HTMLResponse)
def home() -> str:
    """
    Show the sign-up form.
    """
    return common.home()


class SignUp(BaseModel):
    """
    What a visitor typed and ticked. A box that is not ticked is not sent.
    """

    name: str = ""
    email: str = ""
    phone: str = ""
    email_offers: str | None = None
    email_news: str | None = None
    sms_offers: str | None = None


@app.post("/")
def sign_up(optly: OptlyDep, form: Annotated[SignUp, Form()]) -> HTMLResponse:
    """
    Have a question sent to what was typed.
    """
    status, html = common.sign_up(optly, form.model_dump(exclude_none=True))
    return HTMLResponse(html, status)


@app.get("/offer", response_class=HTMLResponse)
def offer() -> str:
    """
    Show the form for sending an offer.
    """
    return common.offer()


@app.post("/offer")
def send_offer(optly: OptlyDep, email: Field = "") -> HTMLResponse:
    """
    Send an offer, if it is allowed.
    """
    status, html = common.send_offer(optly, {"email": email})
    return HTMLResponse(html, status)


if __name__ == "__main__":
    logging.getLogger("uvicorn.access").addFilter(RedactLinks())
    with common.until_stopped():
        uvicorn.run(app, host="127.0.0.1", port=common.PORT)
