"""heteromem from Python: runs, sweeps and their results.

One file without dependencies; copy it, or put its folder on PYTHONPATH. Where pandas is installed, results()
returns a DataFrame, and a list of dicts elsewhere.

    import heteromem
    report = heteromem.run(workload="gups:size=8MiB", device_memory="2MiB")
    print(report["faults"]["device"])

    rows = heteromem.sweep({
        "base": {"workload": "gups:size=8MiB", "backing": "metadata"},
        "axes": {"deviceMemory": {"log2": {"from": "1MiB", "to": "8MiB"}}, "evict": ["lru", "fifo"]},
    }, out="sweep")

The command is the environment variable HETEROMEM (words of a shell), or heteromem on the PATH, or that of the
clone or package in which this file lies.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

__all__ = ["HeteromemError", "run", "sweep", "results"]

DONE, JOBS_FAILED, WRONG, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130


class HeteromemError(Exception):
    """What the command refuses: its message, in one line."""


def _command():
    """Returns the command's words. Raises HeteromemError if there is none."""
    given = os.environ.get("HETEROMEM")
    if given:
        return shlex.split(given)
    found = shutil.which("heteromem")
    if found:
        return [found]
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dist", "cli.js")
    node = shutil.which("node")
    if node and os.path.exists(own):
        return [node, own]
    raise HeteromemError("heteromem is not on the PATH: npm install -g heteromem, or set HETEROMEM")


def _call(arguments, accepted, **options):
    """Runs the command and returns what it prints. Raises HeteromemError for other exit codes."""
    done = subprocess.run(
        _command() + arguments, stdout=subprocess.PIPE, encoding="utf-8", check=False, **options
    )
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode not in accepted:
        message = (done.stderr or "").strip() or f"heteromem ended with exit code {done.returncode}"
        raise HeteromemError(re.sub(r"^heteromem: ", "", message))
    return done.stdout


def _field(name):
    """device_memory is deviceMemory."""
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)


def _write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
    return path


def run(**config):
    """Runs one simulation and returns its report, as heteromem run --json prints it.

    Arguments are fields of the config (docs/run.md), as in workload="gups", device_memory="4MiB". Raises
    HeteromemError for a config that cannot be. A report on a trace that ends early has "partial": True.
    """
    fields = {_field(name): value for name, value in config.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, "config.json", fields)
        text = _call(
            ["run", "--config", path, "--json", "--quiet"], (DONE, PARTIAL), stderr=subprocess.PIPE
        )
    return json.loads(text)


def sweep(spec, out="sweep", **options):
    """Runs a sweep (docs/sweep.md) and returns its results, as results(out) does.

    spec is the path of a file, or the sweep itself as a dict, whose files are named from the current folder.
    Options are those of the command: workers=4, memory="8GiB", retry_failed=True. What is done is not run
    again. Raises HeteromemError for a sweep that cannot be; a job that failed is a row with an error.
    """
    words = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            words.append(option)
        elif value not in (None, False):
            words += [option, str(value)]
    if isinstance(spec, dict):
        handle, path = tempfile.mkstemp(prefix=".heteromem-", suffix=".json", dir=os.getcwd())
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"name": os.path.basename(os.path.normpath(out)), **spec}, file)
    else:
        path = os.fspath(spec)
    shown = None if sys.stderr.isatty() else subprocess.PIPE
    try:
        _call(["sweep", path, "--out", out, *words], (DONE, JOBS_FAILED), stderr=shown)
    finally:
        if isinstance(spec, dict):
            os.remove(path)
    return results(out)


def results(directory):
    """Returns the results of a sweep: a row for each job, with its axes and all figures by their paths.

    Columns are "id", "status", "error", the axes, and figures such as "faults.device". An axis wins over a
    figure of the same name. A pandas DataFrame where pandas is installed; else a list of dicts.
    """
    accepted = (DONE, JOBS_FAILED, PARTIAL)
    text = _call(["results", os.fspath(directory), "--json"], accepted, stderr=subprocess.PIPE)
    rows = [
        {
            "id": row["id"],
            "status": row["status"],
            "error": row["error"],
            **{key: value for key, value in row["figures"].items() if key not in row["point"]},
            **row["point"],
        }
        for row in json.loads(text)
    ]
    try:
        import pandas
    except ImportError:
        return rows
    return pandas.DataFrame(rows)
