"""Where does the command line begin, and how does it end?"""

from __future__ import annotations

import sys
from typing import NoReturn

import click
import typer

from coldchain import __version__
from coldchain.cli import check, doctor, history, init, listing, plan, rebuild, report, restore, run, simulate, why
from coldchain.cli.printing import complain, plain
from coldchain.cli.stopping import stop_on_signals
from coldchain.errors import ColdchainError

app = typer.Typer(
    name="coldchain",
    help="Carries the files of scientific instruments to storage, and proves, file by file, that they arrived.",
    epilog="Begin with: coldchain init, then coldchain doctor, then coldchain run. "
    "Exit codes: 0 all verified, 2 usage or configuration, 3 incomplete, 4 a stored copy is wrong, 5 already running, "
    "6 nothing selected, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print(f"coldchain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", help="Show the version and leave.", callback=_version, is_eager=True
    ),
) -> None:
    """Options of coldchain itself."""


for module in (init, doctor, plan, run, listing, why, check, restore, history, report, rebuild, simulate):
    module.add_to(app)


def main() -> NoReturn:
    """Run the command line; every end has its exit code, and none is a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with stop_on_signals():
            code = app(standalone_mode=False)
    except ColdchainError as error:
        complain(str(error))
        code = error.exit_code
    except click.exceptions.Abort:
        complain("interrupted")
        code = 130
    except click.ClickException as error:
        complain(f"{error.format_message()}\nSee: {_help_of(error)}")
        code = 2
    except KeyboardInterrupt:
        complain("interrupted; the same command again goes on where this one stopped")
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    except Exception as error:
        code = _bug(error)
    sys.exit(code if isinstance(code, int) else 0)


def _help_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'coldchain'} --help"


def _bug(error: Exception) -> int:
    """Say so, and keep the details where they can be sent from."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="coldchain-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    complain(
        f"this is a bug in coldchain: {type(error).__name__}: {plain(str(error))}\n"
        f"No file was lost by it: what is not recorded is looked at again. Please send {file.name} to its developers."
    )
    return 1
