"""
``python -m optly.cli`` is the `optly` command.
"""

from optly.cli import main

if __name__ == "__main__":
    main()
