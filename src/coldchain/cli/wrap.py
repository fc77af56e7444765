"""``coldchain wrap``: a backup, a command, and a backup again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from coldchain.cli import session
from coldchain.cli.jobs import chosen, each
from coldchain.cli.printing import complain, name, plain
from coldchain.errors import UsageError

if TYPE_CHECKING:
    from coldchain.operate.wrap import Wrapped

_HELP = """Run jobs, a command, and the jobs again.

Everything before -- is a job, everything behind it is the command.  Its input, output and exit status are its own; what
coldchain says goes to standard error.  When the backup before it fails, the command does not start.

\b
Example:
  coldchain wrap microscope -- make run
"""
_USAGE = "write the command after --, such as: coldchain wrap JOB -- make run"
_BEHIND = "coldchain.wrap.command"


class _Wrap(TyperCommand):
    """Everything behind the first ``--`` is left as it was typed: it belongs to another program."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ours, behind = args, []
        if "--" in args:
            at = args.index("--")
            ours, behind = args[:at], args[at + 1 :]
        ctx.meta[_BEHIND] = behind
        return super().parse_args(ctx, ours)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("wrap", help=_HELP, cls=_Wrap)(wrap)


def wrap(
    context: typer.Context,
    jobs: list[str] = session.JOBS,
    config: Path | None = session.CONFIG,
    before: bool = typer.Option(False, "--before", help="Only the backup before the command."),
    after: bool = typer.Option(False, "--after", help="Only the backup after the command."),
    regardless: bool = typer.Option(False, "--regardless", help="Start the command though the backup before failed."),
    strict: bool = typer.Option(False, "--strict", help="A backup that fails counts when the command succeeds."),
    workers: int = session.WORKERS,
    settings: list[str] = session.SET,
) -> int:
    """Everything that we print goes to standard error: standard output belongs to the command."""
    from coldchain.cli.run import run_one
    from coldchain.operate.opening import Wish
    from coldchain.operate.wrap import Sides, Terms
    from coldchain.operate.wrap import wrap as wrap_command

    command: list[str] = context.meta[_BEHIND]
    if not command:
        raise UsageError(_USAGE)
    if before and after:
        raise UsageError("--before and --after exclude each other; without them there is a backup on both sides")
    configuration = session.load(config, settings)
    wanted = chosen(configuration, jobs)

    def back_up() -> int:
        with redirect_stdout(sys.stderr):
            return _whatever_happens(
                lambda: each(
                    wanted, lambda job: run_one(configuration, job, Wish(), workers, as_json=False), as_json=False
                )
            )

    sides = Sides.BEFORE if before else Sides.AFTER if after else Sides.BOTH
    wrapped = wrap_command(command, back_up, Terms(sides, regardless, strict))
    _explain(wrapped, name(command[0]))
    return wrapped.exit_code


def _whatever_happens(backup: Callable[[], int]) -> int:
    """An exit code, also of a bug: it must not take the place of what the command ended with."""
    try:
        code = backup()
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        complain(f"this is a bug in coldchain: {type(error).__name__}: {plain(str(error))}")
        code = 1
    with suppress(OSError):
        sys.stderr.flush()
    return code


def _explain(wrapped: Wrapped, program: str) -> None:
    """Say what went wrong on our side; what the command did, it says itself."""
    if wrapped.command is None:
        complain(
            f"the backup before it failed ({wrapped.before}), so {program} was not started (--regardless starts it)"
        )
        return
    if wrapped.trouble:
        complain(f"{program} could not be started: {wrapped.trouble}")
    if wrapped.before:
        complain(f"the backup before {program} failed ({wrapped.before})")
    if wrapped.after:
        complain(f"the backup after {program} failed ({wrapped.after}); {program} itself ended with {wrapped.command}")
