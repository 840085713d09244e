"""Builds the site and checks it: `python docs/check.py`, from an environment with the extra `docs`.

Sphinx runs every example's script, and any warning of it is an error: a broken reference, a script that fails. The
pages' `>>>` lines run under pytest. Then every page is looked at in Debian's chromium: `browser.py` says for what.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "docs" / "_build"


def run(*command):
    """Run a command of this Python at the top of the checkout; return whether it succeeded."""
    print("==", "python", *command, flush=True)
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # small matrices: threads only wait
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=os.environ | alone, check=False).returncode == 0


def main():
    """Run the three checks; return the exit code."""
    shutil.rmtree(BUILT, ignore_errors=True)
    for made in ("api/generated", "gallery"):
        shutil.rmtree(ROOT / "docs" / made, ignore_errors=True)
    if not run("-m", "sphinx", "-n", "-W", "--keep-going", "-q", "-c", "docs", ".", str(BUILT)):
        return 1
    good = run("-m", "pytest", "-q", "-p", "no:xdist", "tests/test_site.py")
    if not shutil.which("chromium"):
        print("NOT RUN: the look at every page, as there is no chromium")
    elif not run("docs/browser.py"):
        good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
