"""
Where in an application the pages have to be mounted.
"""

from __future__ import annotations

from optly.errors import ConfigurationError


def mount_path(base_path: str, *, given: str | None = None, root: str = "") -> str:
    """
    Return the path at which an application has to mount the pages: without a slash at the end, and never empty.

    Args:
        base_path: The path of `base_url`, which people reach from outside.
        given: Where the host says that it mounts them. By default at *base_path* without *root*.
        root: What a server or a proxy takes off the path before the application sees it.

    Raises:
        ConfigurationError: Links would lead elsewhere, or nothing but the pages could be reached.
    """
    if given is None:
        root = root.rstrip("/")
        given = base_path.removeprefix(root) if base_path.startswith(root + "/") else base_path
    path = "/" + given.strip("/")
    if path == "/":
        raise ConfigurationError(
            "the pages need a path of their own inside of an application: a base_url such as https://acme.example/my"
        )
    # Both begin with a slash, so this compares whole segments.
    if not base_path.endswith(path):
        raise ConfigurationError(
            f"the pages are mounted at {path}, but every link leads to {base_path or '/'}: the path of base_url has to "
            "end with where the pages are mounted"
        )
    return path
