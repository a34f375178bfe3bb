"""A server under measurement: its process, its memory, its CPU time, and what else the machine did meanwhile."""

import json
import mmap
import os
import random
import re
import resource
import shlex
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

MIB = 1024 * 1024
TICKS_S = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.005
READY_S = 20
STOP_S = 20
RESAMPLES = 4000


def processes(pid):
    """The process and all that it has started: a server may have workers."""
    found = [pid]
    for each in found:
        try:
            for thread in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{thread}/children") as file:
                    found += map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended just now
    return found


def cpu_seconds(pid):
    """User and system time of a server. The scheduler's own count where there is one: ticks of 10 ms are coarse."""
    return sum(map(process_cpu_seconds, processes(pid)))


def process_cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    by_ticks = (int(fields[11]) + int(fields[12])) / TICKS_S
    by_scheduler = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                by_scheduler += int(file.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return by_ticks  # a thread ended just now, or the kernel does not count
    # Threads that have ended are in the ticks only.
    return by_scheduler if by_ticks - by_scheduler < 0.05 else by_ticks


def memory_bytes(pid):
    """What a server holds itself: anonymous and shared memory, not its program text.

    What workers still share with their parent counts for each of them, while idle as well.
    """
    held = 0
    for each in processes(pid):
        with open(f"/proc/{each}/status") as file:
            for line in file:
                if line.startswith(("RssAnon:", "RssShmem:")):
                    held += int(line.split()[1]) * 1024
    return held


def socket_memory_bytes():
    """What the kernel holds for all TCP sockets of the machine, on both sides."""
    with open("/proc/net/sockstat") as file:
        words = next(line for line in file if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * mmap.PAGESIZE


def machine_seconds():
    """CPU time of everything on this machine, idle and waiting left out."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_S


def own_seconds():
    """CPU time of this runner and of the load generators that have ended."""
    total = 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def interval(values):
    """Median, and the bounds within which it lies in 90 of 100 draws from these values."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return statistics.median(values), medians[RESAMPLES // 20], medians[-RESAMPLES // 20]


def memory_touch(size):
    """Takes so much memory and gives it back, at most half of what there is.

    A virtual machine hands free memory back to its host, and the first to touch it again pays for that, up to
    3 CPU seconds for a gigabyte. Without this the figures of a store on tmpfs or disk are those of the host.
    """
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, min(size, available // 2), flags=flags).close()


class Watch(threading.Thread):
    """Samples a server's memory and the sockets' until it is stopped, and keeps the peaks."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = self.socket_peak = 0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(SAMPLE_S):
            try:
                self.peak = max(self.peak, memory_bytes(self.pid))
                self.socket_peak = max(self.socket_peak, socket_memory_bytes())
            except (FileNotFoundError, ProcessLookupError):
                return

    def stop(self):
        self.stopped.set()
        self.join()
        return self.peak


class Server:
    """One server process on a folder of its own; both are gone at the end of the `with` block."""

    def __init__(self, template, store, threads, places):
        """`store` is null, tmpfs or disk; `places` names the folder below which each one lies."""
        self.template, self.store, self.threads = template, store, threads
        self.place = places["tmpfs" if store == "null" else store]
        self.words = []
        self.process = self.root = self.url = None
        self.lines = []

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="penstock-bench-", dir=self.place)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.reader.join()
            self.process.stdout.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _start(self):
        files = os.path.join(self.root, "files")
        os.mkdir(files)
        is_null = self.store == "null"
        values = {
            "root": self.root,
            "data": os.path.join(self.root, "data"),
            "store_url": "null:" if is_null else "file://" + files,
            "folder": "null" if is_null else files,
            "threads": self.threads,
        }
        self.words = [word.format(**values) for word in shlex.split(self.template)]
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(READY_S) or self.url is None:
            raise RuntimeError(f"{shlex.join(self.words)} did not get ready:\n" + "".join(self.lines))
        time.sleep(0.3)
        self.idle = memory_bytes(self.process.pid)

    def _read(self):
        for line in self.process.stdout:
            self.lines = self.lines[-50:] + [line]
            if line.startswith("ready") and self.url is None:
                found = re.search(r"https?://[0-9.]+:[0-9]+", line)
                self.url = found and found.group().replace("https:", "http:")  # what speaks TLS knows it
                self.ready.set()
        self.ready.set()

    def above_idle_mib(self, held):
        return max(0, held - self.idle) / MIB


class Load:
    """The load generator; `begin` gives its process for those who want to work beside it."""

    def __init__(self, program):
        self.program = program

    def begin(self, server, mode, **flags):
        words = [self.program, mode, "--url", server.url]
        for name, value in flags.items():
            words.append("--" + name.replace("_", "-"))
            if value is not True:
                words.append(str(value))
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def end(process):
        """The figures of its last line. A generator that lost something says so there; one without a line failed."""
        with process:
            lines = process.stdout.read().splitlines()
        if process.returncode not in (0, 3) or not lines:
            raise RuntimeError(f"the load generator ended with {process.returncode}")
        return json.loads(lines[-1])

    def run(self, server, mode, **flags):
        return self.end(self.begin(server, mode, **flags))

    def measure(self, server, mode, beside=None, **flags):
        """One run with all that belongs to it: rate, CPU time, memory, and how busy the machine was otherwise.

        `beside` is the id of a generator that works at the same time and is not to count as somebody else.
        """
        pid = server.process.pid
        watch = Watch(pid)
        watch.start()
        known = own_seconds() + (cpu_seconds(beside) if beside else 0)
        machine, cpu, begun = machine_seconds(), cpu_seconds(pid), time.monotonic()
        load = self.run(server, mode, **flags)
        seconds = time.monotonic() - begun
        cpu = cpu_seconds(pid) - cpu
        known = own_seconds() + (cpu_seconds(beside) if beside else 0) - known
        others = machine_seconds() - machine - cpu - known
        gib = load["bytes"] / 1024 / MIB
        return {
            "bad": load["failed"] + load["lost"],
            "mib_s": load["mib_s"],
            "req_s": load["req_s"],
            "p50_us": load["p50_us"],
            "p99_us": load["p99_us"],
            "cpu_s": cpu,
            "cpu_gib": cpu / gib if gib else 0,
            "cpu_req_us": cpu / load["ok"] * 1e6 if load["ok"] else 0,
            "peak_mib": server.above_idle_mib(watch.stop()),
            "socket_peak_mib": watch.socket_peak / MIB,
            "load_busy": load["cpu_s"] / load["seconds"],
            "server_busy": cpu / seconds,
            "others": max(0, others) / seconds / os.cpu_count(),
        }
