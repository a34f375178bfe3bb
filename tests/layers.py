#!/usr/bin/env python3
"""Reads the includes of src/ and says whether the rooms are kept: tests/layers.py [FOLDER], output in TAP.

A tree is a dictionary from a path below src/ to the text of that file. Each rule takes a tree and yields one sentence
for each place where the tree breaks it. That the rules can fail is tested too, on small made-up trees (SELF_TESTS).
"""
import pathlib
import re
import sys

ROOMS = ["base", "core", "config", "flow", "http", "fetch", "store", "ingest", "observe", "api", "app", "cli"]

# A library's headers, and the only places that may include them.
DOORS = {
    "libuv": (r"uv\.h|uv/.*", ["core/real/"]),
    "llhttp": (r"llhttp\.h|llhttp/.*", ["http/h1.c"]),
    "nghttp2": (r"nghttp2/.*", ["http/h2.c"]),
    "OpenSSL": (r"openssl/.*", ["core/crypto.c", "core/tls.c", "core/real/tls_stream.c"]),
    "libcurl": (r"curl/.*", ["fetch/"]),
    "jansson": (r"jansson.*", ["core/json.c"]),
    "ISA-L": (r"isa-l\.h|isa-l/.*|isal/.*|crc\.h", ["base/crc32c.c", "core/crc32c.c"]),
}

# Headers of the C library with which nothing can be read, written, waited for or started.
PLAIN = set("""assert complex ctype errno float inttypes iso646 limits locale math setjmp stdalign stdarg stdatomic stdbool
    stddef stdint stdio stdlib stdnoreturn string strings sysexits tgmath time uchar wchar wctype malloc endian byteswap
    getopt features alloca sys/types sys/cdefs sys/param sys/time""".split())

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def read_tree(folder):
    root = pathlib.Path(folder)
    files = (f for f in root.rglob("*") if f.suffix in (".c", ".h", ".def"))
    return {str(f.relative_to(root)): f.read_text(errors="replace") for f in sorted(files)}


def includes(tree):
    """(path, included path, whether it is one of ours) for each include."""
    for path, text in tree.items():
        # A string keeps its "/*": none of our includes stands behind one on its line.
        for own, system in INCLUDE.findall(COMMENT.sub(" ", text)):
            yield path, own or system, bool(own)


def room_of(path):
    return path.split("/")[0] if "/" in path else None


def below(path, places):
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def door_of(header):
    return next((name for name, (pattern, _) in DOORS.items() if re.fullmatch(pattern, header)), None)


# ---- the rules -------------------------------------------------------------------------------------------------------


def every_folder_is_a_room(tree):
    for path in tree:
        if "/" in path and room_of(path) not in ROOMS:
            yield f"{path}: no room is called {room_of(path)}"
        if "/" not in path and path != "main.c":
            yield f"{path}: only main.c stands outside the rooms"


def own_includes_are_written_from_src(tree):
    for path, included, is_own in includes(tree):
        if is_own and included not in tree:
            yield f"{path} includes \"{included}\", which is not in src/"


def a_file_includes_only_rooms_above_its_own(tree):
    for path, included, is_own in includes(tree):
        here, there = room_of(path), room_of(included)
        if is_own and here in ROOMS and there in ROOMS and ROOMS.index(there) > ROOMS.index(here):
            yield f"{path} includes {included}, and {there}/ is below {here}/"


def includes_make_no_circle(tree):
    graph = {path: [] for path in tree}
    for path, included, is_own in includes(tree):
        if is_own and included in graph:
            graph[path].append(included)
    done, trail = set(), []

    def visit(path):
        if path in trail:
            yield " -> ".join([*trail[trail.index(path):], path])
            return
        if path in done:
            return
        trail.append(path)
        for included in graph[path]:
            yield from visit(included)
        trail.pop()
        done.add(path)

    for path in graph:
        yield from visit(path)


def config_is_read_only_by_app_cli_and_main(tree):
    for path, included, is_own in includes(tree):
        if is_own and room_of(included) == "config" and room_of(path) not in ("config", "app", "cli", None):
            yield f"{path} includes {included}"


def the_sides_of_the_machine_are_their_own(tree):
    for path, included, is_own in includes(tree):
        for side in ("core/real/", "core/sim/"):
            if is_own and included.startswith(side) and not path.startswith(side):
                yield f"{path} includes {included}"


def only_the_machine_and_main_call_the_system(tree):
    for path, included, is_own in includes(tree):
        if is_own or room_of(path) in ("core", None) or door_of(included):
            continue
        if included.removesuffix(".h") not in PLAIN:
            yield f"{path} includes <{included}>"


def door_rule(library):
    def rule(tree):
        places = DOORS[library][1]
        for path, included, is_own in includes(tree):
            if not is_own and door_of(included) == library and not below(path, places):
                yield f"{path} includes <{included}>; its place is {' or '.join(places)}"

    rule.__name__ = f"{library} has one door"
    return rule


RULES = [every_folder_is_a_room, own_includes_are_written_from_src, a_file_includes_only_rooms_above_its_own,
         includes_make_no_circle, config_is_read_only_by_app_cli_and_main, the_sides_of_the_machine_are_their_own,
         only_the_machine_and_main_call_the_system, *(door_rule(library) for library in DOORS)]


# ---- tests of the rules: each tree, and the names of the rules that it breaks ----------------------------------------

SELF_TESTS = {
    "a tree that keeps all rules passes": ([], {
        "base/span.h": "#include <stddef.h>\n",
        "base/error.def": 'ERROR(NONE, 200, "none", "No error")\n',
        "base/error.c": '#include "base/error.h"\n#include "base/error.def"\n', "base/error.h": "",
        "base/crc32c.c": "#include <isa-l/crc.h>\n",
        "core/loop.h": '#include "base/span.h"\n', "core/crypto.c": "#include <openssl/evp.h>\n",
        "core/real/loop.c": '#include "core/loop.h"\n#include <uv.h>\n#include <unistd.h>\n#include "core/real/system.h"\n',
        "core/real/system.h": "", "config/settings.h": "", "http/h1.c": "#  include <llhttp.h>\n",
        "flow/pipe.c": '#include <string.h>\n/* #include <unistd.h> */\n// #include "app/server.h"\n',
        "app/server.h": "", "app/server.c": '#include "config/settings.h"\n#include "http/x.h"\n', "http/x.h": "",
        "main.c": '#include "app/server.h"\n#include <sys/resource.h>\n'}),
    "a folder that is no room is seen": (["every_folder_is_a_room"], {"util/list.h": ""}),
    "a file outside the rooms is seen": (["every_folder_is_a_room"], {"list.h": ""}),
    "an include of what is not there is seen": (["own_includes_are_written_from_src"], {
        "core/loop.c": '#include "loop.h"\n', "core/loop.h": ""}),
    "an include of a room below is seen": (["a_file_includes_only_rooms_above_its_own"], {
        "flow/pipe.c": '#include "http/conn.h"\n', "http/conn.h": ""}),
    "an include of a room below is seen in a table": (["a_file_includes_only_rooms_above_its_own"], {
        "base/error.def": ' # include "core/log.h"\n', "core/log.h": ""}),
    "a circle of three headers is seen": (["includes_make_no_circle"], {
        "core/a.h": '#include "core/b.h"\n', "core/b.h": '#include "core/c.h"\n', "core/c.h": '#include "core/a.h"\n'}),
    "a header that includes itself is seen": (["includes_make_no_circle"], {"core/a.h": '#include "core/a.h"\n'}),
    "settings read in a room are seen": (["config_is_read_only_by_app_cli_and_main"], {
        "http/listener.c": '#include "config/settings.h"\n', "config/settings.h": ""}),
    "a room that reaches behind the face is seen": (["the_sides_of_the_machine_are_their_own"], {
        "core/log.c": '#include "core/real/system.h"\n', "core/real/system.h": ""}),
    "the simulated side in the real one is seen": (["the_sides_of_the_machine_are_their_own"], {
        "core/real/loop.c": '#include "core/sim/machine.h"\n', "core/sim/machine.h": ""}),
    **{f"<{header}> outside the machine is seen": (["only_the_machine_and_main_call_the_system"], {
        "store/file.c": f"#include <{header}>\n"})
       for header in ("unistd.h", "fcntl.h", "sys/socket.h", "sys/stat.h", "pthread.h", "sys/epoll.h", "sqlite3.h")},
    **{f"a second door to {library} is seen": ([f"{library} has one door"], {place: f"#include <{header}>\n"})
       for library, place, header in (
           ("libuv", "core/loop.c", "uv.h"), ("llhttp", "http/conn.c", "llhttp.h"),
           ("nghttp2", "http/h1.c", "nghttp2/nghttp2.h"), ("OpenSSL", "store/s3.c", "openssl/hmac.h"),
           ("libcurl", "store/gcs.c", "curl/curl.h"), ("jansson", "config/settings.c", "jansson.h"),
           ("ISA-L", "flow/digest.c", "isa-l.h"))},
}


def main(folder):
    tree = read_tree(folder)
    results = []
    for rule in RULES:
        results.append((rule.__name__.replace("_", " "), list(rule(tree))))
    for name, (expected, made_up) in SELF_TESTS.items():
        broken = [rule.__name__ for rule in RULES if list(rule(made_up))]
        results.append((name, [] if broken == expected else [f"broken: {broken}, expected: {expected}"]))
    print(f"1..{len(results)}")
    for number, (name, complaints) in enumerate(results, 1):
        print(f"{'not ok' if complaints else 'ok'} {number} - {name}")
        for complaint in complaints:
            print(f"# {complaint}")
    return any(complaints for _, complaints in results)


if __name__ == "__main__":
    default = pathlib.Path(__file__).resolve().parent.parent / "src"
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else default))
