#!/usr/bin/env python3
"""What of src/ the tests reach (called by script/coverage).

Counted is what units, the simulated machine and fuzzing can reach: not core/sim/, which is a test's own, and not main.c and cli/,
which the integration tests run as programs. core/real/ is shown, but has no target: most of what it does when the system fails is
tried by tests/integration/test_faults.py, in the program itself.
"""
import collections
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/coverage"
PROFILES = BUILD / "profiles"
CORES = len(os.sched_getaffinity(0))
GROUPS = ("unit", "simulated", "fuzz")
LEFT_OUT = ("src/core/sim/", "src/cli/", "src/main.c")
SHOWN_ONLY = ("src/core/real/",)
REST = 0.90
WHOLE = {  # parsers, flow, tickets and upload: every line
    *(f"src/base/{name}.c" for name in ("ascii", "base64", "conditions", "digests", "filename", "forwarded", "httptime", "json", "key",
                                        "network", "origin", "parameter", "percent", "proxy_header", "quantity", "range", "span",
                                        "store_url", "target", "token", "utf8")),
    *(f"src/ingest/{name}.c" for name in ("boundary", "disposition", "multipart", "part", "upload", "raw")),
    "src/http/h1.c", "src/http/framing.c", "src/http/guard.c", "src/core/budget.c", "src/core/blocks.c", "src/core/account.c",
}
WHOLE_FOLDERS = ("src/flow/",)


def executables(group):
    pattern = "*_fuzz" if group == "fuzz" else "*_test"
    return sorted(path for path in (BUILD / "tests" / group).rglob(pattern) if path.is_file() and os.access(path, os.X_OK))


def run(group, program):
    environment = {**os.environ, "LLVM_PROFILE_FILE": str(PROFILES / group / f"{program.name}-%p.profraw"),
                   "ASAN_OPTIONS": "detect_leaks=0"}
    words = [program]
    if group == "fuzz":
        corpus = ROOT / "tests/fuzz/corpus" / program.name.removesuffix("_fuzz")
        words += ["-runs=0", *([corpus] if corpus.is_dir() else [])]
    aslr = ["setarch", "-R"]
    ended = subprocess.run([*aslr, *words], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900)
    if ended.returncode != 0:
        print(f"coverage: {program.relative_to(BUILD)} ended with {ended.returncode}; what it did is counted\n"
              + "\n".join(ended.stdout.splitlines()[-5:]), file=sys.stderr)
    return ended.returncode == 0


def merged(name, groups):
    profile = PROFILES / f"{name}.profdata"
    raw = [str(path) for group in groups for path in (PROFILES / group).glob("*.profraw")]
    listed = PROFILES / f"{name}.list"
    listed.write_text("\n".join(raw))
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-f", listed, "-o", profile], check=True)
    return profile


Reached = collections.namedtuple("Reached", "lines branches")  # of a file: {line: times}, {branch: times}


def reached(profile, programs):
    """By file of src/."""
    objects = [word for program in programs[1:] for word in ("-object", program)]
    text = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={profile}", programs[0], *objects, ROOT / "src"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    files, now = {}, None
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            now = files.setdefault(str(pathlib.Path(rest).resolve().relative_to(ROOT)), Reached({}, {}))
        elif kind == "DA":
            number, times = rest.split(",")[:2]
            now.lines[int(number)] = max(now.lines.get(int(number), 0), int(times))
        elif kind == "BRDA":
            place, _, times = rest.rpartition(",")
            now.branches[place] = max(now.branches.get(place, 0), 0 if times == "-" else int(times))
    return {name: file for name, file in files.items() if name.endswith(".c") and not name.startswith(LEFT_OUT)}


def share(files, what):
    counts = [times for file in files for times in getattr(file, what).values()]
    return sum(times > 0 for times in counts) / len(counts) if counts else 1


def percent(value):
    return f"{int(value * 1000) / 10:.1f}"  # 100.0 is all of them


def target_of(name):
    return None if name.startswith(SHOWN_ONLY) else 1 if name in WHOLE or name.startswith(WHOLE_FOLDERS) else REST


def ranges(numbers):
    found = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def show(by_group):
    names = (*GROUPS, "all")
    print(f"{'lines / branches reached by, %':<34}" + "".join(f"{name:>16}" for name in names))
    folders = collections.defaultdict(list)
    for name in by_group["all"]:
        folders[os.path.dirname(name)].append(name)
    folders["all with a target"] = [name for name in by_group["all"] if target_of(name) is not None]
    for folder, files in sorted(folders.items(), key=lambda each: (not each[0].startswith("src"), each[0])):
        cells = []
        for name in names:
            there = [by_group[name][file] for file in files if file in by_group[name]]
            cells.append(f"{percent(share(there, 'lines')) if there else '-':>8} /{percent(share(there, 'branches')) if there else '-':>6}")
        print(f"{folder:<34}" + "".join(cells))


def main():
    for group in GROUPS:
        (PROFILES / group).mkdir(parents=True, exist_ok=True)
        for old in (PROFILES / group).glob("*.profraw"):
            old.unlink()
    programs = {group: executables(group) for group in GROUPS}
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        list(pool.map(lambda each: run(*each), [(group, program) for group in GROUPS for program in programs[group]]))
    by_group = {group: reached(merged(group, [group]), programs[group]) for group in GROUPS}
    by_group["all"] = reached(merged("all", GROUPS), [program for group in GROUPS for program in programs[group]])
    show(by_group)
    missed = 0
    for name, file in sorted(by_group["all"].items()):
        target, got = target_of(name), share([file], "lines")
        if target is not None and got < target:
            missed += 1
            print(f"{name}: {percent(got)} of {target:.0%}; never: {ranges(line for line, times in file.lines.items() if times == 0)}")
    print(f"{missed} files miss their target" if missed else "every file reaches its target")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
