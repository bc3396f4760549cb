"""Run notebooks as tests, a few at a time, each in a process of its own.

PyTorch, Transformers and Datasets take about five CPU seconds to import, which sixty notebooks would pay
sixty times. So they are imported once, and every notebook runs in a fork of that process. Where a process
cannot be forked safely, a fresh one is started."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from common import root

HEAVY = "datasets matplotlib.pyplot nbdev.export pandas scipy.stats seaborn sklearn.linear_model torch transformers"
CAN_FORK = sys.platform == "linux"


class Result(NamedTuple):
    "How a notebook went."

    place: Path  # of the notebook, from the top level
    problem: str  # empty where it passed
    seconds: float  # wall
    cpu_seconds: float  # of the process and those it started


def import_heavy():
    "Import what nearly every notebook imports."
    for name in HEAVY.split():
        __import__(name)
    import execnb.shell  # noqa: F401
    import transformers

    for name in ("Trainer", "AutoModelForSequenceClassification", "AutoTokenizer"):
        getattr(transformers, name)  # they are imported when first used


def in_fork(place, log):
    "Run a notebook in a fork of this process, with its output in the file `log`; returns the process's number."
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        with open(log, "w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        import datasets.fingerprint
        import torch
        from notebook import run

        datasets.fingerprint.fingerprint_rng.seed()  # else each fork would draw the same "random" names in the cache
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        problem = run(place)
        if problem:
            print(problem, flush=True)
        code = int(bool(problem))
    except BaseException as error:  # a fork must end here, whatever happens
        print(f"{type(error).__name__}: {error}", flush=True)
    finally:
        sys.stdout.flush()
        os._exit(code)


def in_process(place, log):
    "The same in a fresh process."
    command = [sys.executable, str(root / ".ci/notebook.py"), str(place)]
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.Popen(
            command, cwd=root, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        ).pid


def run_notebooks(places, jobs):
    "Yield a Result for each notebook as it ends, with `jobs` of them running at a time."
    if CAN_FORK and len(places) > 1:
        import_heavy()
        start_one = in_fork
    else:
        start_one = in_process
    waiting = list(places)
    running = {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < jobs:
                place = waiting.pop(0)
                log = Path(folder) / place.as_posix().replace("/", "_")
                running[start_one(place, log)] = (place, log, time.time())
            number, status, usage = os.wait4(-1, 0)
            if number not in running:
                continue
            place, log, start = running.pop(number)
            text = log.read_text(encoding="utf-8", errors="replace").strip()
            failed = os.waitstatus_to_exitcode(status) != 0
            problem = (text or "ended without a word") if failed else ""
            yield Result(
                place, problem, time.time() - start, usage.ru_utime + usage.ru_stime
            )
