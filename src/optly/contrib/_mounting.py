"""
The path at which an application mounts the pages.
"""

from __future__ import annotations

from optly.errors import ConfigurationError


def mount_path(base_path: str, *, given: str | None = None, root: str = "") -> str:
    """
    Return the path at which an application has to mount the pages. It has no slash at the end and is never empty.

    Args:
        base_path: The path of `base_url`, as seen from outside.
        given: The path the host mounts them at. By default *base_path* without *root*.
        root: The prefix that a server or a proxy removes before the application sees the path.

    Raises:
        ConfigurationError: Links would lead elsewhere, or the pages would cover the whole application.
    """
    if given is None:
        root = root.rstrip("/")
        given = base_path.removeprefix(root) if base_path.startswith(root + "/") else base_path
    path = "/" + given.strip("/")
    if path == "/":
        raise ConfigurationError(
            "the pages need a path of their own in the application: use a base_url such as https://acme.example/my"
        )
    # Both begin with a slash, so this compares whole segments.
    if not base_path.endswith(path):
        raise ConfigurationError(
            f"the pages are mounted at {path}, but every link leads to {base_path or '/'}: the path of base_url must "
            "end with the path of the mount"
        )
    return path
