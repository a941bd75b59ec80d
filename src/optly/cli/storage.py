"""
``optly storage``
"""

from __future__ import annotations

import click

from optly.cli._app import app_option, load
from optly.errors import ConfigurationError


@click.group("storage")
def command() -> None:
    """
    Prepare the database of an application.
    """


@command.command()
@click.option(
    "--citus", flag_value="citus", required=True, expose_value=False, help="Over the servers of a Citus cluster."
)
@click.option("--run", is_flag=True, help="Run the statements in the application's database, once it is stopped.")
@app_option(required=False)
def distribute(*, run: bool, app: str | None) -> None:
    """
    Print the statements that distribute the tables over several servers, or run them.

    Run them after the tables were created. Tables that are distributed already are left as they are.

    \b
    Examples:
      optly storage distribute --citus
      optly storage distribute --citus --run --app acme.consent:manager
    """
    from optly.storage import SQLStorage  # here, because the list of commands is shown without a database's driver, too

    if not run:
        statements = SQLStorage.distribution()
    elif app is None:
        raise click.UsageError("--run needs --app, the application whose database it is")
    else:
        with load(app) as manager:
            if not isinstance(manager.storage, SQLStorage):
                raise ConfigurationError("the application does not use an SQLStorage")
            statements = manager.storage.distribute()
    for statement in statements:
        click.echo(f"{statement};")
    if not statements:
        click.echo("Every table is distributed already.")
