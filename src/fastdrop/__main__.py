"""The command line: ``python -m fastdrop info``, ``bench``, ``demo`` and ``selftest``."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ._commands import output as _output
from ._version import __version__

PICTURES = ".png", ".pdf", ".svg"
EXTRAS = "matplotlib", "rich", "sklearn", "threadpoolctl"  # what the extras bring
INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 + the signal, as shells say it


def _at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1, got {text}")
    return number


def _file(text: str) -> Path:
    """A file that can be written, tried before the work and not after it."""
    new = not os.path.lexists(text)
    try:
        with open(text, "ab"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"must be a file that can be written, got {text!r}: {reason}") from None
    if new:
        os.unlink(text)
    return Path(text)


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix and path.suffix.lower() not in PICTURES and not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"must end in {', '.join(PICTURES)}, got {text!r}")
    return _file(text if path.suffix or os.path.isdir(text) or not path.name else f"{text}{PICTURES[0]}")


def _layer(text: str) -> str:
    """The name of a member of the family, which may be given as its class too."""
    from ._commands.demo.members import MEMBERS

    titles = {member.title.lower(): name for name, member in MEMBERS.items()}
    return titles.get(text.lower(), text)


def _info(args: argparse.Namespace) -> None:
    from ._commands.info import info

    info()


def _bench(args: argparse.Namespace) -> None:
    if args.plot:
        import matplotlib  # noqa: F401  where it is missing, say so before the work
    from ._commands.benchmark import bench

    if not bench(quick=args.quick, only=args.only, json_path=args.json, plot_path=args.plot):
        sys.exit(1)


def _demo(args: argparse.Namespace) -> None:
    if args.plot:
        import matplotlib  # noqa: F401
    from ._commands.demo.run import demo

    demo(args.layer, seeds=args.seeds, epochs=args.epochs, plot_path=args.plot)


def _selftest(args: argparse.Namespace) -> None:
    from ._commands.selftest import selftest

    if not selftest():
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    from ._commands.demo.members import MEMBERS

    parser = argparse.ArgumentParser(prog="python -m fastdrop", description="Dropout for NumPy at the speed of memory.")
    parser.add_argument("--version", action="version", version=f"fastdrop {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{info,bench,demo,selftest}")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    command("info", _info, "Show backends, the one in use and why, threads, compiler, OpenMP and versions.")

    bench = command(
        "bench", _bench, "Time fastdrop beside NumPy's idioms, and beside those other libraries that are installed."
    )
    bench.add_argument("--quick", action="store_true", help="small sizes, few repetitions, nothing that has to compile")
    bench.add_argument("--only", action="append", metavar="QUESTION", help="one question, as 'mask only'; repeatable")
    bench.add_argument("--json", type=_file, metavar="FILE", help="write the figures to FILE too")
    bench.add_argument(
        "--plot", type=_picture, metavar="FILE.png", help="draw time against size, and speed-up against threads"
    )

    demo = command("demo", _demo, "Train a NumPy network on real digits with and without dropout.")
    demo.add_argument(
        "--layer",
        type=_layer,
        choices=MEMBERS,
        default="dropout",
        metavar="NAME",
        help=f"the member of the family to see at work: {', '.join(MEMBERS)}, or its class (default: dropout)",
    )
    demo.add_argument("--seeds", type=_at_least_one, default=10, metavar="N", help="runs of each network (default: 10)")
    demo.add_argument("--epochs", type=_at_least_one, default=300, metavar="N", help="of each run (default: 300)")
    demo.add_argument("--plot", type=_picture, metavar="FILE.png", help="draw the learning curves")

    command("selftest", _selftest, "Draw the known answers of the mask stream again, on every backend of this machine.")
    return parser


def _run(argv: list[str] | None) -> int:
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        print(f'the {args.command} needs its extra: pip install "numpy-fastdrop[{args.command}]"', file=sys.stderr)
        return 1
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    _output.tolerant()
    try:
        try:
            return _run(argv)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _output.silent()
        return BROKEN_PIPE
    except OSError as error:
        print(error, file=sys.stderr)
        _output.silent()
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
