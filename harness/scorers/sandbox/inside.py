"""What runs inside: locks itself in, runs a program, then its tests, and tells how that ended. Linux only.

It is started by ``run.py`` as a fresh interpreter and spoken to over two pipes that no program's own output shares:

    in    job (length, marshal)  .........  tests (length, text)   nonce (not read before the tests are through)
    out   "locked WORDS"  ...  "loaded"  ......................................  the nonce, or "ended KIND why"

Nothing that a program prints and no exit code of it counts as passing, for only the nonce does, and that is sent once
the program's own code has run. The tests of such data sets call functions of the program, so both share an interpreter:
a program that goes looking for these pipes can cheat. One that only exits, prints, or replaces ``exec`` or
``AssertionError`` cannot.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys

from harness.scorers.sandbox import kernel, landlock, namespaces, seccomp

_PROGRAM = "candidate"
"""Name of the program as a module: not ``__main__``, so that what a script does when it is started is left out."""
_LONGEST_WHY = 300
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_SOURCES = ("/dev/zero", "/dev/random", "/dev/urandom")


def main() -> None:
    """Do the whole job and end the process; arguments: where this package lies, and the number of the pipe out."""
    root, given, out = sys.argv[1], os.dup(0), os.dup(int(sys.argv[2]))
    os.close(int(sys.argv[2]))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    job = marshal.loads(_read(given))  # noqa: S302 - from the process that started this one
    sys.path.remove(root)
    try:
        walls = _lock_in(job["folder"], job["room_bytes"], job["parent"], job["limits"])
    except OSError as error:
        _tell(out, f"refused {error.strerror or error}")
        os._exit(0)
    _tell(out, f"locked {' '.join(walls)}")
    sys.argv = sys.orig_argv = [_PROGRAM]
    os.environ.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "harness"]:
        del sys.modules[name]
    _run(job["program"], given, out)


def _lock_in(folder: str, room_bytes: int, parent: int, limits: dict[str, int]) -> list[str]:
    """Put up the walls, from the outermost; gives their names."""
    readable = [*(path for path in sys.path if path), os.path.join(sys.base_prefix, "lib"), *_LIBRARIES]  # noqa: PTH118
    kernel.gain_nothing()
    won = namespaces.leave(folder, room_bytes)
    writable = [folder] if "folder" in won else []
    known = landlock.restrict([*readable, *_SOURCES, folder], writable, [os.devnull])
    # Not before the credentials change: that would undo it.
    kernel.die_with_parent()
    if os.getppid() != parent:
        raise OSError("the process that started this one is gone")
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    seccomp.restrict(os.getpid())
    return ["seccomp", f"landlock-{known}", *won]


def _run(source: str, given: int, out: int) -> None:
    # Local names: a program may replace what it finds in builtins and modules.
    execute, compiled, read, write, leave, told, flush = exec, compile, _read, os.write, os._exit, _told, _flush
    module = type(sys)(_PROGRAM)
    sys.modules[_PROGRAM] = module
    space = module.__dict__
    try:
        execute(compiled(source, "<program>", "exec", dont_inherit=True), space)
        write(out, b"loaded\n")
        tests = read(given)
        execute(compiled(tests, "<tests>", "exec", dont_inherit=True), space)
    except BaseException as error:  # noqa: BLE001 - whatever it raises, SystemExit too: it did not pass
        flush()
        write(out, told(error))
        leave(0)
    flush()
    write(out, read(given))
    leave(0)


def _flush() -> None:
    try:  # noqa: SIM105 - contextlib would cost each program milliseconds
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001, S110 - whatever the program has put there
        pass


def _told(error: BaseException) -> bytes:
    kind = "assertion" if isinstance(error, AssertionError) else "exception"
    if isinstance(error, MemoryError):
        kind = "memory"
    try:
        why = f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - the program's own __str__
        why = "an exception that cannot be shown"
    where = ""
    at = error.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        where = f" (line {at.tb_lineno} of the {name[1:-1]})" if name in {"<program>", "<tests>"} else where
        at = at.tb_next
    line = " ".join(why[:_LONGEST_WHY].split())
    return f"ended {kind} {line}{where}\n".encode("utf-8", "replace")


def _tell(out: int, line: str) -> None:
    os.write(out, f"{line}\n".encode())


# What these need is bound when they are made, since a program may replace it.
def _read(given: int, number: type[int] = int) -> bytes:
    """One message: its length in 8 digits, and so many bytes."""
    return _exactly(given, number(_exactly(given, 8)))


def _exactly(given: int, length: int, read=os.read, leave=os._exit, size=len) -> bytes:  # type: ignore[no-untyped-def]
    data = b""
    while size(data) < length:
        part = read(given, length - size(data))
        if not part:
            leave(1)  # whoever started this is gone
        data += part
    return data
