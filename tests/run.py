#!/usr/bin/env python3
"""The tests, step by step (called by script/test): tests/run.py [PATTERN...]

Each step has a name (unit-dev, layers, integration, ...) and consists of tasks with names of their own
(unit-dev/core/real/loop_real_test, integration/test_wire.py, fuzz/h1_fuzz); a PATTERN that is part of a name selects it, * and ?
match as in a shell. What a step builds on is built first. Full outputs are kept in build/test-logs/. The last line is
always `N passed, N failed`; the status is 1 when anything failed or nothing ran.
"""
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "test-logs"
TESTS = ROOT / "tests"
CORES = len(os.sched_getaffinity(0))
KILLS = int(os.environ.get("KILLS", "100"))  # of tests/integration/test_kill.py, each less than a second
POWER_SECONDS = 4 * 3600 if os.environ.get("POWER") == "all" else int(os.environ.get("POWER", "12"))  # of test_power.py
NEW_SEEDS = int(os.environ.get("NEW_SEEDS", "1"))  # times as many as the simulated tests run otherwise
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))
IDLY = ("nice", "-n", "19")
SOURCES = ("src", "include", "tests", "bench")  # what is formatted
TAIL = 40  # lines of a failed task's output that are shown

Result = collections.namedtuple("Result", "passed failed skipped", defaults=(0, 0, 0))  # failed: names
Task = collections.namedtuple("Task", "name run")  # run() -> Result
# together(tasks) -> Result; beside: the step during which this one may run, on one core and only when that one leaves it idle
Step = collections.namedtuple("Step", "name needs tasks together beside", defaults=((), (), None, None))


# ---- running things --------------------------------------------------------------------------------------------------


class Output:
    """What a command said, in a log of its own."""

    def __init__(self, name):
        self.path = LOGS / (name.replace("/", ".") + ".log")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("")

    def text(self):
        return self.path.read_text(errors="replace")

    def note(self, line):
        with self.path.open("a") as log:
            log.write(line + "\n")


def run(output, command, timeout, **environment):
    """The command's status, or None when it took too long. Whatever it started and left in its group is ended with it."""
    with output.path.open("a") as log:
        log.write(f"$ {' '.join(map(str, command))}\n")
        log.flush()
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, env={**os.environ, **environment},
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
    if status is None:
        output.note(f"took longer than {timeout} s and was ended")
    elif status != 0:
        output.note(f"ended with status {status}" if status > 0 else f"ended by signal {signal.Signals(-status).name}")
    return status


failures = []  # what is to be shown when the step is over


def show_failure(name, output, *more):
    lines = [f"  | {line}" for line in output.text().splitlines()[-TAIL:]]
    failures.append("\n".join([f"  ---- {name}: the last lines of {output.path.relative_to(ROOT)}", *lines, *more]))


def plain_task(name, *commands, timeout=600):
    """One check that passes when every command ends with 0."""

    def check():
        output = Output(name)
        for command in commands:
            if run(output, command() if callable(command) else command, timeout) != 0:
                show_failure(name, output)
                return Result(failed=[name])
        return Result(passed=1, failed=[])

    return Task(name, check)


# Old sanitizer runtimes can't place their shadow memory where the kernel randomises addresses by more bits than they know.
FIXED_ADDRESSES = ["setarch", "-R"] if shutil.which("setarch") and subprocess.run(
    ["setarch", "-R", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 else []

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


# ---- unit and simulated tests ----------------------------------------------------------------------------------------

TAP_PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)
TAP_TEST = re.compile(r"^(not ok|ok) \d+ *-? *(.*)$", re.MULTILINE)


def read_tap(text, name, status):
    """What a run of tests amounts to. One that ended badly, early or without any test is a failure of its own."""
    tests = [(verdict, test.strip()) for verdict, test in TAP_TEST.findall(text)]
    done = [(verdict, test) for verdict, test in tests if "# SKIP" not in test.upper()]  # cmocka: not ok 1 # SKIP name
    skipped = len(tests) - len(done)
    failed = [f"{name}: {test}" for verdict, test in done if verdict == "not ok"]
    passed = sum(verdict == "ok" for verdict, _ in done)
    planned = sum(map(int, TAP_PLAN.findall(text)))
    if status is None:
        failed.append(f"{name}: took too long")
    elif len(tests) < planned:
        failed.append(f"{name}: ended after {len(tests)} of {planned} tests (status {status})")
    elif not tests:
        failed.append(f"{name}: ran no test (status {status})")
    elif status != 0 and not failed:
        failed.append(f"{name}: all tests passed, but it ended with status {status}")
    return Result(passed, failed, skipped)


def tap_task(name, command, timeout):
    def check():
        output = Output(name)
        status = run(output, [*FIXED_ADDRESSES, *command], timeout, CMOCKA_MESSAGE_OUTPUT="TAP", **SANITIZERS)
        result = read_tap(output.text(), name, status)
        if result.failed:
            show_failure(name, output)
        return result

    return Task(name, check)


def unit_step(kind, preset):
    tasks = []
    for source in sorted((TESTS / kind).rglob("*_test.c")):
        path = source.relative_to(TESTS).with_suffix("")
        tasks.append(tap_task(f"{kind}-{preset}/{path.relative_to(kind)}", [BUILD / preset / "tests" / path], 180))
    return Step(f"{kind}-{preset}", [f"build-{preset}"], tasks)


def seeds_step():
    """The simulated server with seeds that nobody has seen, and with those that have ever failed."""
    folder = BUILD / "dev/tests/simulated"
    kept = [line.split() for line in (TESTS / "simulated/failed_seeds").read_text().splitlines()
            if line and not line.startswith("#")]
    tasks = [tap_task(f"seeds/{test} {seed}", ["env", f"SEED={seed}", folder / test], 180) for test, seed in kept]
    first = random.randrange(1_000_000, 1 << 40)
    for family in ("road", "upload", "form", "conn", "store", "crowd"):  # others count on their seeds
        for source in sorted((TESTS / "simulated").glob(f"{family}*_test.c")):
            tasks.append(tap_task(f"seeds/{source.stem} from {first}",
                                  ["env", f"FIRST_SEED={first}", f"SEEDS={NEW_SEEDS}", folder / source.stem], 300))
    return Step("seeds", ["build-dev"], tasks)


# ---- reading the sources ---------------------------------------------------------------------------------------------


def c_files(*folders, suffixes=(".c", ".h")):
    files = (f for folder in folders for f in (ROOT / folder).rglob("*") if f.suffix in suffixes)
    return sorted(f for f in files if "node_modules" not in f.parts)


def compile_commands():
    """Those of the release, and of dev for what only tests are built from; without what only gcc understands."""
    commands = {}
    for preset in ("release", "dev"):
        for entry in json.loads((BUILD / preset / "compile_commands.json").read_text()):
            if pathlib.Path(entry["file"]).is_relative_to(ROOT / "src"):
                commands.setdefault(entry["file"], entry)
    for entry in commands.values():
        entry["command"] = re.sub(r" -(flto\S*|fno-fat-lto-objects|Werror|Wduplicated-cond|Wlogical-op"
                                  r"|Wno-maybe-uninitialized)(?= )", "", entry["command"])
    folder = BUILD / "tidy"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(list(commands.values()), indent=1))
    return set(commands)


def tidy_step():
    def check(source):
        def tidy():
            name = f"tidy/{source.relative_to(ROOT / 'src')}"
            output = Output(name)
            if run(output, [*IDLY, "clang-tidy", "-quiet", "-p", BUILD / "tidy", source], 300) != 0:
                show_failure(name, output)
                return Result(failed=[name])
            return Result(passed=1, failed=[])

        return tidy

    return Step("tidy", ["configure"], [Task(f"tidy/{source.relative_to(ROOT / 'src')}", check(source))
                                        for source in c_files("src", suffixes=(".c",))], beside="integration")


def cppcheck_command():
    (BUILD / "cppcheck").mkdir(exist_ok=True)
    return [*IDLY, "cppcheck", "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1", "--quiet",
            "--std=c11", "--language=c", "--library=posix", "--library=gnu", "--suppress=missingIncludeSystem",
            "--suppress=readdirCalled",  # each folder is read by one thread, and readdir_r is deprecated
            f"--cppcheck-build-dir={BUILD / 'cppcheck'}", "-D_GNU_SOURCE", '-DPENSTOCK_VERSION="0"',
            "-D__linux__", "-I", "src", "src"]


# ---- integration tests and fuzzing -----------------------------------------------------------------------------------


OF_ROOTS = ("test_container.py", "test_package.py")  # they make clean systems, and mostly wait for that


def integration_steps(patterns):
    paths = sorted((TESTS / "integration").rglob("test_*.py"))
    return [pytest_step("integration", [path for path in paths if path.name not in OF_ROOTS], patterns),
            pytest_step("roots", [path for path in paths if path.name in OF_ROOTS], patterns)._replace(beside="integration")]


def pytest_step(step, paths, patterns):
    """One pytest for all files, since they share what is set up once."""
    files = {f"integration/{path.relative_to(TESTS / 'integration')}": path for path in paths}

    def nodes(name):
        """The file, or those of its tests that were named: integration/test_put.py::test_name."""
        named = [p.split("::", 1) for p in patterns if "::" in p]
        tests = [test for file, test in named if fnmatch.fnmatch(name, f"*{file}*")]
        return [f"{files[name]}::{test}" for test in tests] or [files[name]]

    def check(tasks):
        output = Output(step)
        report = LOGS / f"{step}.xml"
        report.unlink(missing_ok=True)
        status = run(output, ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short",
                              "--timeout=180", "--durations=10", f"--junitxml={report}",
                              *(node for task in tasks for node in nodes(task.name))], 900 + KILLS + POWER_SECONDS,
                     PENSTOCK=str(BUILD / "release/penstock"), PYTHONDONTWRITEBYTECODE="1", PYTHONNOUSERSITE="1")
        result = read_junit(report, step, status)
        if result.failed:
            show_failure(step, output)
        return result

    return Step(step, ["build-release", "build-dev"], [Task(name, None) for name in files], check)


def read_junit(report, name, status):
    if not report.exists():
        return Result(failed=[f"{name}: ended without a report (status {status})"])
    passed, skipped, failed = 0, 0, []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{name}: {case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    if not passed + skipped + len(failed):
        failed.append(f"{name}: ran no test (status {status})")
    elif status != 0 and not failed:
        failed.append(f"{name}: all tests passed, but it ended with status {status}")
    return Result(passed, failed, skipped)


def add_recorded_forms(corpus):
    """What real clients send, as tests/fuzz/multipart_fuzz.c reads it: cut into pieces of 7 and 80 bytes in turn."""
    for fixture in (TESTS / "fixtures/forms").iterdir():
        if fixture.suffix != ".expected":
            head, body = fixture.read_bytes().split(b"\n\n", 1)
            content_type = head.rsplit(b"Content-Type: ", 1)[1]
            (corpus / fixture.name).write_bytes(bytes([2, 0x80, 7, 80]) + content_type + b"\n" + body)


def fuzz_task(source):
    target = source.stem
    subject = target.removesuffix("_fuzz")
    name = f"fuzz/{target}"

    def check():
        output = Output(name)
        corpus, artifacts = BUILD / "fuzz-corpus" / subject, BUILD / "fuzz-artifacts"
        shutil.rmtree(corpus, ignore_errors=True)
        kept = TESTS / "fuzz/corpus" / subject
        if kept.is_dir():
            shutil.copytree(kept, corpus)
        corpus.mkdir(parents=True, exist_ok=True)
        if subject == "multipart":
            add_recorded_forms(corpus)
        artifacts.mkdir(exist_ok=True)
        dictionary = TESTS / "fuzz" / f"{subject}.dict"
        command = [*FIXED_ADDRESSES, BUILD / "fuzz/tests/fuzz" / target, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
                   "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={artifacts / subject}-",
                   *([f"-dict={dictionary}"] if dictionary.exists() else []), corpus]
        if run(output, command, FUZZ_SECONDS + 120, **SANITIZERS) == 0:
            return Result(passed=1, failed=[])
        artifacts_named = re.findall(r"Test unit written to (\S+)", output.text())
        show_failure(name, output, *(f"  ---- {name}: the input is {artifact}" for artifact in artifacts_named))
        return Result(failed=[name])

    return Task(name, check)


# ---- all steps -------------------------------------------------------------------------------------------------------


def build_step(preset):
    return Step(f"build-{preset}", tasks=[plain_task(f"build-{preset}", ["script/build", preset], timeout=1800)])


def all_steps(patterns):
    def configure():
        output = Output("configure")
        for preset in ("release", "dev"):
            if run(output, ["cmake", "--preset", preset], 300) != 0:
                show_failure("configure", output)
                return Result(failed=["configure"])
        compile_commands()
        return Result(failed=[])

    formatted = ["clang-format", "--dry-run", "-Werror", *c_files(*SOURCES)]
    return [
        plain_step("format", formatted),
        Step("layers", tasks=[tap_task("layers", ["/usr/bin/python3", "-B", TESTS / "layers.py"], 60)]),
        *(build_step(preset) for preset in ("release", "dev", "tsan", "fuzz")),
        *(unit_step(kind, preset) for preset in ("dev", "tsan") for kind in ("unit", "simulated")),
        seeds_step(),
        *integration_steps(patterns),
        Step("fuzz", ["build-fuzz"], [fuzz_task(source) for source in sorted((TESTS / "fuzz").glob("*_fuzz.c"))]),
        plain_step("cppcheck", cppcheck_command)._replace(beside="integration"),
        Step("configure", tasks=[Task("configure", configure)]),
        tidy_step(),
    ]


def plain_step(name, *commands):
    return Step(name, tasks=[plain_task(name, *commands)])


def select(steps, patterns):
    """The steps with the tasks that were asked for, and with what those need before them."""

    def asked_for(name):
        words = (p.split("::")[0] for p in patterns)
        return not patterns or any(fnmatch.fnmatch(name, f"*{word}*") for word in words)

    chosen = {}
    for step in steps:
        tasks = [task for task in step.tasks if asked_for(step.name) or asked_for(task.name)]
        if tasks:
            chosen[step.name] = step._replace(tasks=tasks)
    needed = {need for step in chosen.values() for need in step.needs}
    ordered = [chosen.get(step.name, step) for step in steps if step.name in chosen or step.name in needed]
    # A step that others stand on comes first, wherever it is in the list.
    return [s for s in ordered if s.name == "configure"] + [s for s in ordered if s.name != "configure"], set(chosen)


def run_step(step, at_once=CORES):
    def guarded(task):
        try:
            return task.run()
        except Exception:  # a bug of this file is a failure, never silence
            failures.append(traceback.format_exc())
            return Result(failed=[task.name])

    if step.together:
        return guarded(Task(step.name, lambda: step.together(step.tasks)))
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(guarded, step.tasks))
    return Result(sum(r.passed for r in results), [name for r in results for name in r.failed],
                  sum(r.skipped for r in results))


def run_steps(steps, chosen):
    with concurrent.futures.ThreadPoolExecutor(1) as aside:
        return run_in_order(steps, chosen, aside)


def run_in_order(steps, chosen, aside):
    total, broken, ran, begun = Result(failed=[]), set(), 0, {}
    for step in steps:
        for other in steps:
            if other.beside == step.name and not broken.intersection(other.needs):
                begun[other.name] = aside.submit(run_step, other, 1)
        missing = [need for need in step.needs if need in broken]
        print(f"{step.name:<16}", end=" ", flush=True)
        began = time.monotonic()
        if missing:
            result = Result(failed=[f"{step.name}: not run, {missing[0]} failed"])
        else:
            result = begun[step.name].result() if step.name in begun else run_step(step)
        if result.failed:
            broken.add(step.name)
        if step.name in chosen:
            ran += result.passed + len(result.failed)
        counts = f"{result.passed} passed, {len(result.failed)} failed"
        counts += f", {result.skipped} skipped" if result.skipped else ""
        print(f"{time.monotonic() - began:7.1f} s   {counts}", flush=True)
        while failures:
            print(failures.pop(0), flush=True)
        total = Result(total.passed + result.passed, total.failed + result.failed, total.skipped + result.skipped)
    return total, ran


def main(patterns):
    passed, failed, ran = 0, [], 0
    began = time.monotonic()
    try:
        LOGS.mkdir(parents=True, exist_ok=True)
        total, ran = run_steps(*select(all_steps(patterns), patterns))
        passed, failed = total.passed, total.failed
        print(f"\n{time.monotonic() - began:.0f} s, {total.skipped} skipped; outputs are in {LOGS.relative_to(ROOT)}/")
    except (Exception, KeyboardInterrupt):
        traceback.print_exc(file=sys.stdout)
        failed = [*failed, "tests/run.py"]
    for name in failed:
        print(f"FAILED {name}")
    if not ran and not failed:
        print("nothing ran")
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
