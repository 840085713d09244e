"""The command line: ``python -m fastdrop info``, ``bench``, ``demo`` and ``selftest``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _file(text: str) -> str:
    if not Path(text).parent.is_dir():  # said before the work, not after it
        raise argparse.ArgumentTypeError(f"no such directory: {Path(text).parent}")
    return text


def _info(args: argparse.Namespace) -> None:
    from ._info import info

    info()


def _bench(args: argparse.Namespace) -> None:
    from ._benchmark import bench

    bench(quick=args.quick, only=args.only, json_path=args.json, plot_path=args.plot)


def _demo(args: argparse.Namespace) -> None:
    from ._demo.run import demo

    demo(args.layer, seeds=args.seeds, epochs=args.epochs, plot_path=args.plot)


def _selftest(args: argparse.Namespace) -> None:
    from ._selftest import selftest

    if not selftest():
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    from ._demo.members import MEMBERS

    parser = argparse.ArgumentParser(prog="python -m fastdrop", description="Dropout for NumPy at the speed of memory.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{info,bench,demo,selftest}")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    command("info", _info, "Show backends, the one in use and why, threads, compiler, OpenMP and versions.")

    bench = command(
        "bench", _bench, "Time fastdrop beside NumPy's idioms and any of PyTorch, Numba and JAX, here and now."
    )
    bench.add_argument("--quick", action="store_true", help="small sizes, few repetitions, nothing that has to compile")
    bench.add_argument("--only", action="append", metavar="QUESTION", help="one question, as 'mask only'; repeatable")
    bench.add_argument("--json", type=_file, metavar="FILE", help="write the figures to FILE too")
    bench.add_argument(
        "--plot", type=_file, metavar="FILE.png", help="draw time against size, and speed-up against threads"
    )

    demo = command("demo", _demo, "Train a NumPy network on real digits with and without dropout.")
    demo.add_argument(
        "--layer",
        choices=MEMBERS,
        default="dropout",
        metavar="NAME",
        help=f"the member of the family to see at work: {', '.join(MEMBERS)} (default: dropout)",
    )
    demo.add_argument("--seeds", type=_at_least_one, default=5, metavar="N", help="runs of each network (default: 5)")
    demo.add_argument("--epochs", type=_at_least_one, default=300, metavar="N", help="of each run (default: 300)")
    demo.add_argument("--plot", type=_file, metavar="FILE.png", help="draw the learning curves")

    command("selftest", _selftest, "Run the known answers of the mask stream on every backend of this machine.")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"matplotlib", "rich", "sklearn"}:
            raise
        print(f'the {args.command} needs its extra: pip install "numpy-fastdrop[{args.command}]"', file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
