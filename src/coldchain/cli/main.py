"""Where does the command line begin, and how does it end?"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from coldchain import __version__
from coldchain.cli import (
    check,
    doctor,
    find,
    fleet,
    history,
    init,
    inspect,
    listing,
    metrics,
    plan,
    rebuild,
    report,
    restore,
    run,
    schedule,
    service,
    simulate,
    start,
    status,
    stop,
    watch,
    why,
    wrap,
)
from coldchain.cli.printing import complain, plain, sentence
from coldchain.cli.stopping import stop_on_signals
from coldchain.errors import ColdchainError

_EPILOG = """\b
Begin with:  coldchain inspect FOLDER   then   coldchain init, doctor, run

\b
Exit codes:  0 all verified               1 a bug
             2 usage or configuration     3 incomplete
             4 a stored copy is wrong     5 already running
             6 nothing selected         130 interrupted
"""
_INTERRUPTED = "interrupted; the same command again goes on where this one stopped"
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What writing to standard output or into a spool can meet; stores and the ledger translate theirs."""
_SELDOM = (50_000, 20, 50)
"""How many objects are made before cycles are looked for: what a run makes has hardly any, and is soon let go of."""
_CLOSED_PIPE = 141
"""What a shell says of a program whose reader went away (128 + SIGPIPE)."""


class Commands(TyperGroup):
    """All commands; an end that typer would turn into an exit code of its own gets ours."""

    def invoke(self, ctx: Any) -> object:
        """Run the command that was typed."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain(_INTERRUPTED)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise typer.Exit(_CLOSED_PIPE) from None


app = typer.Typer(
    name="coldchain",
    cls=Commands,
    help="Carries the files of scientific instruments to storage, and proves, file by file, that they arrived.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
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


for module in (
    inspect, init, doctor, plan, run, listing, find, why, check, restore, history, report, fleet, metrics, rebuild,
    simulate, wrap, schedule, service, watch, start, stop, status,
):  # fmt: skip
    module.add_to(app)


def main() -> NoReturn:
    """Run the command line; every end has its exit code, and none is a traceback."""
    gc.set_threshold(*_SELDOM)
    atexit.register(gc.freeze)  # else Python looks for cycles in all that is left: a fifth of the time of a short run
    _insist_on_utf8()
    _prepare_streams()
    with stop_on_signals():
        code = _run()
    sys.exit(_hand_over(code))


def _run() -> int:
    try:
        code = app(prog_name="coldchain", standalone_mode=False)
    except ColdchainError as error:
        complain(sentence(error))
        return error.exit_code
    except Abort:
        complain(_INTERRUPTED)
        return 130
    except TyperException as error:
        _explain(error)
        return 2
    except KeyboardInterrupt:
        complain(_INTERRUPTED)
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
            complain(f"{error.strerror}, while writing the output of this command or a temporary file")
            return 3
        return _bug(error)
    return code if isinstance(code, int) else 0


def _explain(error: TyperException) -> None:
    """What is wrong with the command line, and where it is explained; bare ``coldchain`` shows the help itself."""
    context = getattr(error, "ctx", None)
    said = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(said)
    else:
        complain(f"{said[:1].lower()}{said[1:]}\nsee: {context.command_path if context else 'coldchain'} --help")


def _insist_on_utf8() -> None:
    """Begin anew where the locale has another encoding: the same bytes must be the same name in every run (P16)."""
    if os.name == "posix" and not sys.flags.utf8_mode and sys.getfilesystemencoding().lower() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this program itself


def _prepare_streams() -> None:
    """Every name can be printed, and a closed stream is no file that is opened later."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _hand_over(code: int) -> int:
    """Make sure that what was printed arrived; Python itself would complain with a traceback."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or _CLOSED_PIPE
    except OSError as error:
        complain(f"{error.strerror}, while writing the output of this command")
        code = code or 3
    else:
        return code
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _bug(error: Exception) -> int:
    """Say so, and keep the details where they can be sent from."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="coldchain-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
        details = f"Please send {file.name} to its developers."
    except OSError as trouble:
        details = f"The details could not be kept ({trouble.strerror})."
    complain(
        f"this is a bug in coldchain: {type(error).__name__}: {plain(str(error))}\n"
        f"No file was lost by it: what is not recorded is looked at again. {details}"
    )
    return 1
