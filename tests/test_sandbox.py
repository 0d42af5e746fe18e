"""Programs that mean harm, each really run: what they try fails, and is seen from outside to have failed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.scorers.sandbox import kernel, seccomp
from harness.scorers.sandbox.run import Limits, Ran, run, trouble

pytestmark = pytest.mark.skipif(
    trouble() is not None, reason=f"this machine cannot contain programs, and the sandbox says so: {trouble()}"
)
QUICK = Limits(seconds=1.0)
ROOT = Path(__file__).parents[1]


def tried(program: str, tests: str = "", **limits: float) -> Ran:
    """What became of a program, which is dedented, in at most a second unless told otherwise."""
    return run(textwrap.dedent(program), textwrap.dedent(tests) or "pass", Limits(**{"seconds": 1.0, **limits}))  # type: ignore[arg-type]


def denied(program: str) -> str:
    """Why a program was refused what it tried, which was refused by the kernel and not by chance."""
    ran = tried(program)
    assert ran.ended == "exception", ran
    assert ran.why.startswith("PermissionError"), ran
    return ran.why


# --- what is right ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "tests", "ended", "why"),
    [
        ("def f(): return 1", "assert f() == 1", "ok", ""),
        ("def f(): return 2", "assert f() == 1", "assertion", "AssertionError: (line 1 of the tests)"),
        ("def f(): return 1 / 0", "f()", "exception", "ZeroDivisionError: division by zero (line 1 of the program)"),
        ("def f(:", "f()", "exception", "SyntaxError: invalid syntax (<program>, line 1)"),
        ("def f(): f()", "f()", "exception", "RecursionError: maximum recursion depth exceeded"),
        ("input('?')", "", "exception", "EOFError: EOF when reading a line (line 1 of the program)"),
        ("import nothing_of_ours", "", "exception", "ModuleNotFoundError: No module named 'nothing_of_ours'"),
        ("import harness", "", "exception", "ModuleNotFoundError: No module named 'harness'"),
        ("if __name__ == '__main__': 1 / 0", "", "ok", ""),
        ("\udc80 = 1", "", "exception", "SyntaxError"),
        ("x = '\0'", "", "exception", "SyntaxError"),
        ("x" * (1 << 20) + "x", "x", "exception", "the program is longer than 1048576 bytes"),
    ],
)
def test_how_a_program_ends_is_told(program: str, tests: str, ended: str, why: str) -> None:
    """Passing, a wrong result, an error with its line: each by its name."""
    ran = run(program, tests or "pass", QUICK)
    assert ran.ended == ended, ran
    assert ran.why.startswith(why)


def test_what_honest_programs_need_is_there() -> None:
    """The standard library, a folder of its own, clocks, pipes, asyncio and printing work; sets come in one order."""
    program = """
        import asyncio, bisect, collections, dataclasses, decimal, hashlib, heapq, itertools, json, math, os, random
        import re, sqlite3, statistics, string, tempfile, time, typing, unicodedata, zoneinfo
        from pathlib import Path
        @dataclasses.dataclass
        class Point:
            x: int
        async def later():
            await asyncio.sleep(0.001)
            return Point(3)
        def f():
            print("hello", file=open(os.devnull, "w"))
            assert asyncio.run(later()) == Point(3)
            assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
            assert zoneinfo.ZoneInfo("UTC") and time.time() > 0 and os.urandom(4)
            print(sorted({"a", "b"}), list({"one", "two", "three", "four"}))
            return 3
    """
    first, second = (tried(program, "assert f() == 3", seconds=20) for _ in range(2))
    assert first.ended == "ok", first
    assert first.output.startswith("['a', 'b']")
    assert first.output == second.output
    if "folder" in first.walls:
        written = "from pathlib import Path; Path('x').write_text('y'); assert Path('x').read_text() == 'y'"
        assert tried(written).ended == "ok"


def test_two_programs_share_nothing() -> None:
    """Each has an empty folder, which is gone afterwards."""
    first = tried("import os; open('x', 'w') if os.access('.', os.W_OK) else 0; print(os.getcwd())")
    second = tried("import os; print(os.listdir('.'), os.getcwd())")
    folders = [ran.output.split()[-1] for ran in (first, second)]
    assert second.output.startswith("[]")
    assert folders[0] != folders[1]
    assert not any(map(os.path.exists, folders))


# --- what harms others -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"])
def test_no_socket_of_any_kind_can_be_made(family: str, kind: str) -> None:
    """Neither the network nor a server of this machine can be spoken to."""
    assert "Operation not permitted" in denied(f"import socket; socket.socket(socket.{family}, socket.{kind})")


def test_a_server_that_listens_sees_nobody() -> None:
    """A connection to a port of this very machine does not arrive, and no name is looked up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        denied(f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))")
        ran = tried("import urllib.request; urllib.request.urlopen('http://localhost/')")
        assert ran.ended == "exception"
        with pytest.raises(TimeoutError):
            server.accept()
    for lookup in ("getaddrinfo('example.com', 80)", "gethostbyname('example.com')"):
        ran = tried(f"import socket; print(socket.{lookup})")
        assert ran.ended == "exception", ran
        assert "gaierror" in ran.why or "PermissionError" in ran.why


def test_a_pair_of_sockets_reaches_nobody_else(tmp_path: Path) -> None:
    """What asyncio needs is allowed, but not the kind that can send to a socket with a path."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.setblocking(False)
        denied("import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)")
        denied(f"import socket; a, b = socket.socketpair(); a.sendto(b'x', {path!r})")
        denied(f"import socket; a, b = socket.socketpair(); a.sendmsg([b'x'], [], 0, {path!r})")
        denied(f"import socket; a, b = socket.socketpair(); a.connect({path!r})")
        with pytest.raises(BlockingIOError):
            server.recv(1)


def test_no_process_and_no_thread_can_be_begun() -> None:
    """A fork bomb, a program of the system, a daemon left behind: none gets as far as a second process."""
    denied("import os\nwhile True: os.fork()")
    denied("import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)")
    denied("import os; os.posix_spawn('/bin/sh', ['sh', '-c', 'sleep 60 &'], {})")
    denied("import os; os.execv('/bin/sh', ['sh'])")
    denied("import os\nif os.fork() == 0:\n    os.setsid()\n    os.fork()")
    denied("import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()")
    assert tried("import os; os.system('sleep 60')").output == ""
    ran = tried("import threading; threading.Thread(target=print).start()")
    assert ran.why.startswith("RuntimeError: can't start new thread"), ran


NUMBERS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "chroot": (161, 51),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "shmget": (29, 194),
    "pidfd_open": (434, 434),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "truncate": (76, 45),
    "fchmodat": (268, 53),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "sched_setaffinity": (203, 122),
    "kexec_load": (246, 104),
    "a call of the future": (9999, 9999),
}


def test_system_calls_that_are_not_listed_are_refused() -> None:
    """Asked of the kernel directly, past Python: each gives EPERM, and so does a second table of numbers."""
    here = kernel.machine()
    assert here is not None
    asked = {name: numbers[here] for name, numbers in NUMBERS.items()}
    if kernel.MACHINES[here] == "x86_64":
        asked |= {"fork": 57, "vfork": 58, "getpid of the second table": 0x40000000 + 39}
    ran = tried(f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {asked!r}.items():
            result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(0) for _ in range(6)))
            print(name, result, ctypes.get_errno(), sep=": ")
    """)
    assert ran.ended == "ok", ran
    assert [line for line in ran.output.splitlines() if not line.endswith(": -1: 1")] == []
    assert len(ran.output.splitlines()) == len(asked)


@pytest.mark.parametrize(
    "way",
    [
        "open({path!r}, 'w').write('x')",
        "open({path!r}, 'a').write('x')",
        "os.mkdir({path!r} + '.d')",
        "os.unlink({path!r})",
        "os.rename({path!r}, {path!r} + '.x')",
        "os.symlink('/', {path!r} + '.x')",
        "os.link({path!r}, {path!r} + '.x')",
        "os.truncate({path!r}, 0)",
        "os.chmod({path!r}, 0)",
        "os.utime({path!r}, (0, 0))",
        "os.mkfifo({path!r} + '.x')",
        "os.setxattr({path!r}, 'user.x', b'x')",
        "shutil.rmtree({folder!r})",
    ],
)
def test_nothing_outside_is_written_changed_or_removed(tmp_path: Path, way: str) -> None:
    """A file of the user, beside it, and its mode, times and attributes stay as they were."""
    mine = tmp_path / "mine"
    mine.write_text("kept")
    os.utime(mine, (1_000_000, 1_000_000))
    mode = mine.stat().st_mode
    denied("import os, shutil\n" + way.format(path=str(mine), folder=str(tmp_path)))
    assert sorted(tmp_path.iterdir()) == [mine]
    assert mine.read_text() == "kept"
    assert (mine.stat().st_mode, mine.stat().st_mtime) == (mode, 1_000_000)


def test_the_interpreters_own_folders_are_readable_and_not_writable() -> None:
    """What a program imports cannot be changed for the next one."""
    denied("import os; open(os.path.join(os.path.dirname(os.__file__), 'evil.py'), 'w')")
    denied("import os; os.fchmod(os.open(os.__file__, os.O_RDONLY), 0o777)")
    assert tried("import os; open(os.__file__).read()").ended == "ok"


def test_files_of_the_user_cannot_be_read_or_listed(tmp_path: Path) -> None:
    """The home, this project, the system's settings, other processes: none opens. That a name exists can be seen."""
    secret = tmp_path / "secret"
    secret.write_text("made-up-secret")
    for path in (secret, Path.home(), ROOT / "pyproject.toml", Path("/etc/passwd"), Path("/"), Path("/tmp")):
        denied(f"import os; os.listdir({str(path)!r}) if os.path.isdir({str(path)!r}) else open({str(path)!r}).read()")
    assert tried(f"import os; print(os.stat({str(secret)!r}).st_size)").output == "14\n"


def test_the_environment_of_this_process_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own environment is empty, and that of its parent, its memory and its descriptors do not open."""
    monkeypatch.setenv("MADE_UP_KEY", "made-up-secret")
    assert tried("import os; print(dict(os.environ))").output == "{}\n"
    for name in ("environ", "cmdline", "maps", "mem", "status", "fd", "root", "cwd"):
        where = f"/proc/{os.getpid()}/{name}"
        denied(f"import os; os.listdir({where!r}) if {name!r} in ('fd', 'root', 'cwd') else open({where!r}).read()")
    for path in ("/proc/self/environ", "/proc/self/maps", "/proc/1/environ", "/proc", "/sys"):
        ran = tried(f"import os; os.listdir({path!r}) if {path!r}.count('/') == 1 else open({path!r}).read()")
        assert ran.why.startswith("PermissionError"), ran


def test_no_other_process_can_be_signalled() -> None:
    """Neither its parent nor everybody; itself it may end."""
    for target in (os.getpid(), os.getppid(), 0, -1, 1):
        denied(f"import os; os.kill({target}, 0)")
    denied("import fcntl, os\na, b = os.pipe()\nfcntl.fcntl(a, fcntl.F_SETOWN, os.getppid())")
    denied("import resource, os; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)")
    ran = tried("import os; os.kill(os.getpid(), 9)")
    assert (ran.ended, ran.why) == ("killed", "it was ended by SIGKILL")


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    """A file that this process has open, marked to be inherited, is not there."""
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        ran = tried("""
            import os, stat
            for number in range(64):
                try:
                    print(number, stat.S_IFMT(os.fstat(number).st_mode) in (stat.S_IFIFO, stat.S_IFCHR))
                except OSError:
                    pass
        """)
    assert ran.ended == "ok"
    assert [line for line in ran.output.splitlines() if not line.endswith("True")] == []
    assert len(ran.output.splitlines()) == 5  # standard ones, job, verdict


# --- what uses too much ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import signal as s\nfor n in range(1, 32):\n    if n not in (9, 19): s.signal(n, 1)\nwhile 1: 0",
        "import os\nfor n in range(64):\n    try: os.close(n)\n    except OSError: pass\nimport time\ntime.sleep(60)",
        "import atexit, time; atexit.register(time.sleep, 60)\nwhile True:\n    try: time.sleep(60)\n    except: pass",
        "9 ** 9 ** 9",
        "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
        "import os\nos.read(3, 1)",
    ],
    ids=["loop", "sleep", "ignores signals", "closes all", "catches all", "one long call", "regex", "reads our pipe"],
)
def test_what_does_not_end_is_ended(program: str) -> None:
    """Whatever it ignores, after its time it is gone."""
    ran = tried(program)
    assert (ran.ended, ran.why) == ("timeout", "it was not done within 1 s")


def test_processor_time_is_bounded_too() -> None:
    """A program whose time of waiting is generous still ends when it has used its processor time."""
    ran = tried("import resource; print(resource.getrlimit(resource.RLIMIT_CPU))")
    assert ran.output == "(2, 2)\n"


@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(1 << 32)",
        "x = []\nwhile True: x.append('x' * (1 << 20))",
        "import mmap\nx = [mmap.mmap(-1, 1 << 28) for _ in range(16)]",
        "x = 'x' * (1 << 40)",
    ],
)
def test_a_memory_bomb_is_told_as_memory(program: str) -> None:
    """It meets its limit long before the machine does."""
    ran = tried(program, seconds=20)
    assert ran.ended == "memory" or "Cannot allocate memory" in ran.why, ran


def test_the_disk_cannot_be_filled() -> None:
    """One file has a limit, many together have one, and so has their number."""
    one = tried("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20))", seconds=20)
    many = tried("i = 0\nwhile True:\n    i += 1\n    open(str(i), 'wb').write(bytes(1 << 20))", seconds=20)
    empty = tried("i = 0\nwhile True:\n    i += 1\n    open(str(i), 'wb')", seconds=20)
    if "folder" in one.walls:
        assert "File too large" in one.why
        assert "No space left on device" in many.why
        assert "No space left on device" in empty.why
    else:
        assert all("Permission denied" in ran.why for ran in (one, many, empty))


def test_a_flood_of_output_is_cut_off() -> None:
    """Four megabytes are enough; the end of what was printed is kept, in bounds."""
    ran = tried("while True: print('x' * 1000)", seconds=20)
    assert (ran.ended, ran.why) == ("killed", "it printed more than 4 MB")
    assert 0 < len(ran.output) <= 4000
    chatty = tried("print('x' * 100_000)\nprint('the end')")
    assert chatty.ended == "ok"
    assert chatty.output.endswith("x\nthe end\n")


def test_open_files_are_bounded() -> None:
    """Sixty-four, pipes included."""
    assert "Too many open files" in tried("import os\nwhile True: os.pipe()").why


def test_a_crash_is_told_by_its_signal() -> None:
    """A program that kills its interpreter has not passed."""
    ran = tried("import ctypes; ctypes.string_at(1)")
    assert (ran.ended, ran.why) == ("killed", "it was ended by SIGSEGV")


# --- what cheats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "def f(): raise SystemExit(0)",
        "import os\ndef f(): os._exit(0)",
        "print('ok'); print('loaded'); print('passed')\ndef f(): return 2",
        "import builtins\nbuiltins.exec = lambda *_: None\ndef f(): return 2",
        "import builtins\nbuiltins.compile = lambda *_, **__: compile\ndef f(): return 2",
        "import builtins\nclass Quiet(BaseException): pass\nbuiltins.AssertionError = Quiet\ndef f(): return 2",
        "import os\nos.read = lambda *_: b'00000004pass'\ndef f(): return 2",
        "import os\nos.write = lambda *_: 0\ndef f(): return 2",
        "import builtins\nbuiltins.len = lambda _: 0\nbuiltins.int = lambda _: 0\ndef f(): return 2",
        "import sys\nfor m in list(sys.modules): del sys.modules[m]\ndef f(): return 2",
        "import sys\nsys.settrace(lambda *_: None)\nsys.excepthook = lambda *_: None\ndef f(): return 2",
        "import os\nfor n in range(3, 64):\n    try: os.write(n, b'ok')\n    except OSError: pass\ndef f(): return 2",
        "import sys\nsys.stdout = sys.stderr = None\ndef f(): return 2",
        "import sys\nclass Out:\n    def flush(self): raise SystemExit(0)\nsys.stdout = Out()\ndef f(): return 2",
        "class Odd(Exception):\n    def __str__(self): raise SystemExit(0)\ndef f(): raise Odd",
    ],
)
def test_what_does_not_pass_its_tests_has_not_passed(program: str) -> None:
    """Exiting with 0, printing, or replacing what Python runs with is no pass."""
    ran = run(program, "assert f() == 1", QUICK)
    assert ran.ended in {"assertion", "exception", "timeout"}, ran


def test_the_tests_are_not_there_before_the_program_has_run() -> None:
    """A program that looks at all its pipes while it is loaded finds neither its tests nor what says that it passed."""
    ran = tried(
        """
        import os
        for number in range(3, 64):
            try:
                os.set_blocking(number, False)
                print(os.read(number, 1000))
            except OSError as error:
                pass
        """,
        "assert 'a rare word'",
    )
    assert ran.walls
    assert "rare" not in ran.output


# --- where the walls are lower ---------------------------------------------------------------------------


def test_without_namespaces_the_other_walls_hold() -> None:
    """Where the kernel gives nobody a namespace, a program has no folder to write to, and all else is as it was."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Ur", "true"], check=False).returncode:
        pytest.skip("this machine gives no user namespace, so all tests here ran without")
    script = """
        from harness.scorers.sandbox.run import run
        print(run("def f(): return 1", "assert f() == 1"))
        for way in ("open('x', 'w')", "open('/etc/passwd')", "import socket; socket.socket()", "import os; os.fork()"):
            print(run(way, "pass").why)
    """
    closed = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", closed, "sh", sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    first, *denials = done.stdout.splitlines()
    assert "ended='ok'" in first, done
    assert re.search(r"walls=\('seccomp', 'landlock-\d+'\)", first)
    assert len(denials) == 4
    assert all(line.startswith("PermissionError") for line in denials)


@pytest.mark.parametrize(("number", "name"), [((444, 444), "landlock"), ((157, 167), "prctl")])
def test_without_a_wall_that_is_needed_nothing_is_run(number: tuple[int, int], name: str, tmp_path: Path) -> None:
    """On a kernel that answers "no such call" to Landlock or prctl, the program is refused, with the reason."""
    here = kernel.machine()
    assert here is not None
    mark = tmp_path / "it ran"
    script = f"""
        import struct
        from harness.scorers.sandbox import kernel, seccomp
        from harness.scorers.sandbox.run import run, trouble
        op = lambda code, value, true=0, false=0: struct.pack("<HBBI", code, true, false, value)
        code = op(0x20, 0) + op(0x15, {number[here]}, 0, 1) + op(0x06, 0x00050000 | 38) + op(0x06, 0x7FFF0000)
        kernel.gain_nothing()
        kernel.filter_calls(seccomp._Program(len(code) // 8, code))
        print(run("open({str(mark)!r}, 'w')", "pass"))
        print(trouble())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "ended='refused'" in done.stdout, done
    assert done.stdout.count("Function not implemented") == 2, name
    assert not mark.exists()


def test_another_system_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, for one, nothing is tried."""
    monkeypatch.setattr(sys, "platform", "darwin")
    ran = run("pass", "pass")
    assert (ran.ended, ran.walls) == ("refused", ())
    assert ran.why == "programs can be contained on 64-bit Linux on x86-64 and aarch64 only"


def test_numbers_of_system_calls_are_those_of_the_kernels_headers() -> None:
    """Every number of the list, for both machines, stands in the header that defines it."""
    headers = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
    if not all(path.is_file() for path in headers):
        pytest.skip("the kernel's headers are not installed")
    known = [
        {found[1]: found[2] for found in re.finditer(r"^#define __NR(?:3264)?_(\w+) (\d+)$", path.read_text(), re.M)}
        for path in headers
    ]
    known[1]["newfstatat"] = known[1]["fstatat"]
    listed = {row[0]: row[1:] for row in (one.split() for one in seccomp._ALLOWED.replace("\n", " ").split(","))}
    listed |= {name: list(map(str, numbers)) for name, numbers in kernel._NUMBERS.items()}
    listed |= {name: list(map(str, numbers)) for name, numbers in NUMBERS.items() if " " not in name}
    wrong = {
        name: (number, headers[place].name)
        for name, numbers in listed.items()
        for place, number in enumerate(numbers)
        if number != "-" and known[place].get(name) != number
    }
    assert wrong == {}


def children() -> set[str]:
    """Ids of the processes whose parent is this one, zombies too."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if after_name[1] == str(os.getpid()):
            found.add(path.parent.name)
    return found


def test_many_runs_leave_no_process_and_no_descriptor() -> None:
    """Whatever became of them, this process has the same children and as many open files as before."""
    before, open_before = children(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        for program in ("pass", "1 / 0", "import os; os._exit(3)"):
            run(program, "pass", QUICK)
    assert run("while 1: 0", "pass", Limits(seconds=0.1)).ended == "timeout"
    assert children() <= before
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_before
