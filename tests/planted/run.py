"""Plants single faults and says which tests notice: `python tests/planted/run.py [--list] [--short] [--only TEXT ...]`.

The faults are in faults/*.toml. Each is planted alone in a copy of the checkout, what it touches is built again, and
the tests that ought to notice are run until one fails. All are run without a fault first, so that a failure means
something. One line for each fault, the survivors last; exit status 1 if a fault survives, or if one that is argued to
change nothing is noticed. `--only` takes ids, files and subjects, as in `rng.pyx:3 bits.c layers`; `--short` takes
the first fault of each subject.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
C_CHECKS = ("c avx2", "c portable")  # among the tests of a fault: the C program of tests/c, for a backend
WORKERS, LIMIT = 2, 300  # seconds after which the tests of a fault hang, which is to notice


class Fault(NamedTuple):
    """One line that is wrong, and the tests that ought to notice."""

    id: str
    subject: str
    file: str
    old: str
    new: str
    tests: list[str]
    changes_nothing: str  # why no test can notice; else empty


def read_faults(folder=HERE / "faults"):
    faults = []
    for path in sorted(folder.glob("*.toml")):
        for source in tomllib.loads(path.read_text(encoding="utf-8"))["source"]:
            for number, entry in enumerate(source["faults"], start=1):
                name = f"{'/'.join(Path(source['file']).parts[-2:])}:{number}"
                tests, why = entry.get("tests", source["tests"]), entry.get("changes_nothing", "")
                faults.append(Fault(name, path.stem, source["file"], entry["old"], entry["new"], tests, why))
    return faults


def named(fault):
    """What --only may call it."""
    name = fault.id.rpartition("/")[2]
    return {fault.subject, fault.id, name, name.partition(":")[0]}


def misfit(fault, root=ROOT):
    """Why the fault cannot be planted; empty where it can."""
    if "\n" in fault.old + fault.new:
        return "more than one line"
    found = (root / fault.file).read_text(encoding="utf-8").count(fault.old) if (root / fault.file).is_file() else 0
    return "" if found == 1 and fault.old != fault.new else f"the old text is found {found} times"


class Copy:
    """A copy of the checkout with an interpreter that imports the copy, and what was built there before any fault."""

    def __init__(self, folder, cache):
        self.root, self.limit = folder / "checkout", None
        tracked = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
        names = [name for name in tracked.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
        built = [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.so")]
        built += [str(path.with_suffix(".c").relative_to(ROOT)) for path in (ROOT / "src").rglob("*.pyx")]
        for name in [*names, *(name for name in built if (ROOT / name).exists())]:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.root / name)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)  # tests ask git what there is
        venv.create(self.root / ".venv", with_pip=False)
        self.python = self.root / ".venv" / "bin" / "python"
        (site,) = (self.root / ".venv").glob("lib/python*/site-packages")
        paths = [self.root / "src", *(path for path in sys.path if "site-packages" in path)]
        (site / "copy.pth").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FASTDROP"))}
        self.environment |= {"PATH": f"{compilers(cache)}:{os.environ['PATH']}", "PLANTED_CACHE": str(cache)}
        self.environment["TMPDIR"] = str(folder)  # pytest clears up what another has left
        self.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # which take longer to load than most tests to run
        setup = self.root / "setup.py"  # Cython and compiler only where something has changed
        times = setup.stat().st_mtime_ns
        setup.write_text(setup.read_text(encoding="utf-8").replace("force=True", "force=False"), encoding="utf-8")
        os.utime(setup, ns=(times, times))
        if said := self.build():
            raise SystemExit(f"the checkout does not build\n{said}")
        built = [*self.root.glob("src/**/*.so"), *self.root.glob("src/**/*.c"), *self.root.glob("build/**/*.so")]
        self.built = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in built}

    def execute(self, *command):
        """What a command says where it fails, else nothing."""
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # the session that was begun for it
            process.communicate()
            return f"no end after {self.limit} s"
        return (said or "no word") if process.returncode else ""

    def build(self):
        return self.execute(self.python, "setup.py", "-q", "build_ext", "--inplace")

    def failure(self, tests, changed=False):
        """The first failure among the tests named, in their order, else nothing."""
        for test in tests:
            if test in C_CHECKS and (said := self.execute(self.python, "tests/planted/c_checks.py", test[2:])):
                return "the C checks: " + said.strip().splitlines()[-1].removeprefix("FAIL ")
        if not (tests := [test for test in tests if test not in C_CHECKS]):
            return ""
        if changed and (said := self.build()):
            return f"the build: {said.strip().splitlines()[-1][:100]}"
        said = self.execute(self.python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
        found = re.findall(r"^(?:FAILED|ERROR) (\S+)|^(Fatal Python error: .+)", said, re.M)
        return said and next((test or crash for test, crash in found), said[-200:].strip())

    def noticed(self, fault):
        """Who notices the fault; empty where nobody does."""
        path = self.root / fault.file
        text, times = path.read_text(encoding="utf-8"), path.stat().st_mtime_ns
        old = fault.old.replace("force=True", "force=False")
        path.write_text(text.replace(old, fault.new), encoding="utf-8")
        os.utime(path)
        try:
            return self.failure(fault.tests, changed=not fault.file.endswith(".py"))
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(times, times))
            self.restore()

    def restore(self):
        for path, (data, times) in self.built.items():
            if not path.exists() or path.stat().st_mtime_ns != times:
                path.write_bytes(data)
                os.utime(path, ns=(times, times))


def compilers(cache):
    """A folder of compilers that remember what they have compiled: see compiler.py."""
    folder = cache / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("cc", "gcc", "x86_64-linux-gnu-gcc"):
        if real := shutil.which(name):
            if Path(real).parent == folder:
                continue
            wrapper = f'#!/bin/sh\nexec {sys.executable} -I -S {HERE / "compiler.py"} {real} "$@"\n'
            (folder / name).write_text(wrapper, encoding="utf-8")
            (folder / name).chmod(0o755)
    return folder


def work(copy, faults, results):
    copy.limit = LIMIT
    try:
        while True:
            fault = faults.get_nowait()
            begin = time.perf_counter()
            who = copy.noticed(fault)
            results.put((fault, who, time.perf_counter() - begin))
    except queue.Empty:
        results.put(None)
    except BaseException as error:  # said by the main thread
        results.put(error)


def outcomes(faults, cache):
    """Each fault, who notices it, and the seconds it took."""
    waiting, results = queue.Queue(), queue.Queue()
    for fault in faults:
        waiting.put(fault)
    with tempfile.TemporaryDirectory() as folder:
        copies = [Copy(Path(folder) / str(number), cache) for number in range(min(WORKERS, len(faults)))]
        tests = list(dict.fromkeys(test for fault in faults for test in fault.tests))
        with ThreadPoolExecutor() as pool:
            for said in pool.map(Copy.failure, copies, (tests[number :: len(copies)] for number in range(len(copies)))):
                if said:
                    raise SystemExit(f"without a fault: {said}")
        for copy in copies:
            threading.Thread(target=work, args=(copy, waiting, results)).start()
        for _ in copies:
            while (result := results.get()) is not None:
                if isinstance(result, BaseException):
                    while not waiting.empty():
                        waiting.get_nowait()
                    raise result
                yield result


def plant(faults, cache):
    """Plant each fault, say who notices; return the faults that nobody does, and those that were argued wrongly."""
    survivors, wrong = [], []
    for fault, who, seconds in outcomes(faults, cache):
        print(f"{fault.id:28} {seconds:6.1f} s  {f'noticed by {who}' if who else 'survives'}", flush=True)
        if not who and not fault.changes_nothing:
            survivors.append(fault)
        if who and fault.changes_nothing:
            wrong.append(fault)
    return survivors, wrong


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="the faults of these ids, files or subjects")
    parser.add_argument("--list", action="store_true", help="show the faults, plant none")
    parser.add_argument("--short", action="store_true", help="the first fault of each subject")
    options = parser.parse_args(arguments)
    faults = [fault for fault in read_faults() if not options.only or named(fault) & set(options.only)]
    if options.short:
        faults = list({fault.subject: fault for fault in reversed(faults)}.values())
    if misfits := [f"{fault.id}: {why}: {fault.old}" for fault in faults if (why := misfit(fault))]:
        raise SystemExit("\n".join(misfits))
    if options.list:
        for fault in faults:
            print(f"{fault.id:28} {fault.old.strip()}\n{'':28} {fault.new.strip()}")
        print(f"{len(faults)} faults")
        return 0
    begin = time.perf_counter()
    survivors, wrong = plant(faults, Path(tempfile.gettempdir()) / "fastdrop-planted")
    print(f"\n{len(faults)} faults, {len(survivors)} survive unexplained, {time.perf_counter() - begin:.0f} s")
    for fault in survivors:
        print(f"SURVIVES {fault.id} ({fault.file}): {fault.old.strip()}  ->  {fault.new.strip()}")
    for fault in wrong:
        print(f"NOTICED, though argued to change nothing: {fault.id}: {fault.changes_nothing}")
    return 1 if survivors or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
