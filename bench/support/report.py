"""Writes docs/performance.md and docs/charts/ from the runs that bench/compare has kept."""
import os
import re
import statistics

from charts import THEMES, bars, lines
from measure import interval

BASIS = {"penstock-2": "limit-2", "penstock-form": "limit-form", "go-form": "limit-form", "nginx": "limit-2", "go": "limit-2"}
CHARTED = {"penstock-form": "penstock, form", "nginx": "nginx DAV", "go-form": "Go, form", "busboy": "busboy",
           "tus": "@tus/server", "multer-stream": "multer, from disk", "multer-memory": "multer, in memory",
           "multer-whole": "multer, read whole"}


class Runs:
    def __init__(self, kept, titles):
        self.rounds, self.titles = kept["runs"], titles

    def of(self, work, key):
        return [each[key] for each in self.rounds.get(work, []) if key in each]

    def median(self, work, key, figure):
        """None where it was not run or failed in any round."""
        runs = self.of(work, key)
        if not runs or any(run["bad"] for run in runs):
            return None
        return statistics.median(run[figure] for run in runs)

    def ratio(self, work, key, basis, figure):
        pairs = [(each[key], each[basis]) for each in self.rounds.get(work, []) if key in each and basis in each]
        if not pairs or any(one["bad"] for pair in pairs for one in pair):
            return None
        return interval([ours[figure] / theirs[figure] for ours, theirs in pairs])

    def cell(self, work, key, figure):
        runs = self.of(work, key)
        if not runs:
            return "-"
        value = self.median(work, key, figure)
        return "fails" if value is None else number(value)

    def ratio_cell(self, work, key, figure):
        basis = BASIS.get(key, "limit" if key in ("penstock", "tus") else "limit-form")
        if key.startswith("limit"):
            return ""
        told = self.ratio(work, key, basis, figure)
        return "-" if told is None else f"{told[0]:.2f} ({told[1]:.2f}-{told[2]:.2f})"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(runs, columns):
    """`columns`: (heading, function of a server's key that gives a cell). Servers without any figure have no line."""
    out = ["| | " + " | ".join(heading for heading, _ in columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for key, title in runs.titles.items():
        cells = [cell(key) for _, cell in columns]
        if any(cell not in ("-", "") for cell in cells):
            out.append(f"| {'**' + title + '**' if key.startswith('penstock') else title} | " + " | ".join(cells) + " |")
    return out


def tables(runs):
    def figure(heading, work, name):
        return heading, lambda key: runs.cell(work, key, name)

    def ratio(heading, work, name):
        return heading, lambda key: runs.ratio_cell(work, key, name)

    out = ["### Memory above idle, MiB", ""]
    out += table(runs, [figure(f"{heading}", f"{work} tmpfs", "peak_mib") for heading, work in
                        (("one of 10 MiB", "10m"), ("one of 4 GiB", "4g"), ("64 of 10 MiB at once", "64x10m"),
                         ("256 at once", "256x10m"))] +
                 [figure("kernel's sockets, both sides, 64 at once", "64x10m tmpfs", "socket_peak_mib")])
    for store, where in (("tmpfs", "on tmpfs"), ("disk", "on ext4")):
        out += ["", f"### Rate and CPU time, stored {where}", ""]
        out += table(runs, [column for heading, work in (("one of 4 GiB", f"4g {store}"), ("64 of 10 MiB", f"64x10m {store}"))
                            for column in (figure(f"{heading}: MiB/s", work, "mib_s"), ratio("of `limit`", work, "mib_s"),
                                           figure("CPU s/GiB", work, "cpu_gib"))])
    out += ["", "### Small files: 4 KiB, 64 connections", ""]
    out += table(runs, [column for heading, work in (("tmpfs", "4k tmpfs"), ("durable, ext4", "4k-durable disk"))
                        for column in (figure(f"{heading}: uploads a second", work, "req_s"), ratio("of `limit`", work, "req_s"),
                                       figure("CPU us each", work, "cpu_req_us"))])
    out += ["", "### 5,000 slow clients, and a fast upload of 1 MiB beside them", ""]
    out += table(runs, [figure("lost", "slow tmpfs", "lost"), figure("KiB each", "slow tmpfs", "client_kib"),
                        figure("fast one: p50 us", "slow tmpfs", "p50_us"), figure("p99 us", "slow tmpfs", "p99_us")])
    out += ["", "### 200 uploads of 10 MiB, cut at random bytes", ""]
    out += table(runs, [figure("files left behind", "cut tmpfs", "left"), figure("MiB above idle afterwards", "cut tmpfs", "left_mib")])
    return out


def charts_write(runs, folder):
    def ours(key):
        return key.startswith("penstock")

    def over(works):
        return [(title, [runs.median(f"{work} tmpfs", key, "peak_mib") for work in works], ours(key))
                for key, title in CHARTED.items()]

    def bar_rows(figure, keys):
        return [(runs.titles[key], runs.median("64x10m tmpfs", key, figure), ours(key)) for key in keys if
                runs.of("64x10m tmpfs", key)]

    def is_peer(key):
        return not key.startswith("limit")

    peers = [key for key in runs.titles if is_peer(key)]
    os.makedirs(folder, exist_ok=True)
    for name, theme in THEMES.items():
        drawn = {
            "memory-size": lines("Memory above idle, by the size of one uploaded file", ["1 MiB", "10 MiB", "100 MiB", "1 GiB", "4 GiB"],
                                 over(["1m", "10m", "100m", "1g", "4g"]), 0.01, theme),
            "memory-uploads": lines("Memory above idle, by uploads of 10 MiB at once", ["1", "4", "16", "64", "256"],
                                    over(["10m", "4x10m", "16x10m", "64x10m", "256x10m"]), 0.01, theme),
            "rate": bars("64 uploads of 10 MiB at once, stored on tmpfs: MiB/s", bar_rows("mib_s", peers), theme),
            "cpu": bars("CPU seconds for each GiB uploaded (64 x 10 MiB, tmpfs)", bar_rows("cpu_gib", peers), theme),
        }
        for chart, drawing in drawn.items():
            with open(os.path.join(folder, f"{chart}-{name}.svg"), "w") as file:
                file.write(drawing)


def report_write(kept, titles, docs):
    """Puts the figures between the marks of docs/performance.md, and redraws the charts."""
    runs = Runs(kept, titles)
    counts = [len(rounds) for rounds in kept["runs"].values()]
    others = [run["others"] for rounds in kept["runs"].values() for each in rounds for run in each.values() if "others" in run]
    told = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    head = [f"Measured on {kept['date']}: {kept['machine']}. {told} rounds. Other work had {statistics.median(others):.1%} of the "
            f"machine in the median run, {max(others):.0%} in the worst. {', '.join(kept['versions'])}.", ""]
    path = os.path.join(docs, "performance.md")
    with open(path) as file:
        text = file.read()
    begin, end = "<!-- figures: begin (written by bench/compare --report) -->", "<!-- figures: end -->"
    figures = "\n".join([begin, *head, *tables(runs), end])
    text, count = re.subn(re.escape(begin) + ".*" + re.escape(end), lambda _: figures, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{path} has no marks for the figures")
    with open(path, "w") as file:
        file.write(text)
    charts_write(runs, os.path.join(docs, "charts"))
