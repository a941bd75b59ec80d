"""
What the example on Django has beside the others: its own CSRF check, and the admin.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from hosts import running


@pytest.mark.server
def test_the_same_page_for_everybody_and_the_admin_behind_a_log_in(tmp_path: Path) -> None:
    """
    Who is on record already is told to nobody, and CSRF is checked on the host's own forms.
    """
    with running("django", tmp_path) as acme, httpx.Client(base_url=acme.url, follow_redirects=True) as client:
        token = re.search('csrfmiddlewaretoken" value="([^"]+)', client.get("/").text)
        assert token is not None
        form = {"email": "ada@example.com", "email_offers": "on", "csrfmiddlewaretoken": token[1]}
        first, second = client.post("/", data=form), client.post("/", data=form)
        assert first.text == second.text
        assert client.post("/", data={**form, "csrfmiddlewaretoken": ""}).status_code == 403
        assert "Log in" in client.get("/admin/").text
