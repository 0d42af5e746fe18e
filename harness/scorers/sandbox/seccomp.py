"""The system calls that a contained program may make; every other one is answered with "operation not permitted".

A list of what is allowed and not of what is forbidden, so that what a future kernel brings is refused as well. What is
missing on purpose: every way to start a process or a thread (fork, clone, exec), sockets other than a connected pair,
io_uring, what changes files by path that Landlock does not look at (chmod, chown, utimes, xattr, truncate), memory
files, signals and limits of other processes, ptrace, mounts, namespaces, bpf, keys and prctl.
"""

from __future__ import annotations

import ctypes
import struct

from harness.scorers.sandbox import kernel

_AUDIT = (0xC000003E, 0xC00000B7)
"""Names of the machines in filters, in the order of ``kernel.MACHINES``."""

# Name, number on x86-64, number on aarch64. Source: the kernel's asm/unistd_64.h and asm-generic/unistd.h.
_ALLOWED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
preadv2 327 286, pwritev2 328 287, lseek 8 62, open 2 -, openat 257 56, close 3 57, close_range 436 436, dup 32 23,
dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, flock 73 32, ftruncate 77 46, fallocate 285 47, fsync 74 82,
fdatasync 75 83, fadvise64 221 223, copy_file_range 326 285, sendfile 40 71,
stat 4 -, fstat 5 80, lstat 6 -, newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44, access 21 -,
faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78, getdents64 217 61, getcwd 79 17, chdir 80 49,
fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38,
renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, umask 95 166,
mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, msync 26 227, brk 12 214,
poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19, timerfd_create 283 85,
timerfd_settime 286 86, timerfd_gettime 287 87,
recvfrom 45 207, recvmsg 47 212, shutdown 48 210, getsockopt 55 209, setsockopt 54 208, getsockname 51 204,
getpeername 52 205,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigsuspend 130 133, sigaltstack 131 132, pause 34 -, alarm 37 -, getitimer 36 102, setitimer 38 103,
clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169,
time 201 -, times 100 153,
getpid 39 172, gettid 186 178, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177,
getgroups 115 158, getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155, getsid 124 156,
getrlimit 97 163, setrlimit 160 164, getrusage 98 165, sysinfo 99 179, uname 63 160, sched_yield 24 124,
sched_getaffinity 204 123, getcpu 309 168,
futex 202 98, set_robust_list 273 99, rseq 334 293, set_tid_address 218 96, arch_prctl 158 -, membarrier 324 283,
restart_syscall 219 128, getrandom 318 278, wait4 61 260, exit 60 93, exit_group 231 94
"""

_FCNTL = (0, 1, 2, 3, 4, 1030, 1032, 1034)
"""Duplicates and flags; not what sends signals to others, lets a pipe grow, or takes kernel memory for locks."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Is it a terminal, its size, how much can be read, do not block, close on exec or not."""
_STREAM = 1
"""A pair of datagram sockets could send to any socket that has a path."""

_LD_ABS, _AND, _JEQ, _JGE, _RET = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_NUMBER_AT, _MACHINE_AT = 0, 4
_X32 = 0x40000000
"""Numbers from here on are those of a second, older table of calls on x86-64."""


class _Program(ctypes.Structure):
    """The kernel's ``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def restrict(pid: int) -> None:
    """Allow this process, whose id is ``pid``, no more than that; OSError when the kernel has no filters."""
    code = program(pid)
    kernel.filter_calls(_Program(len(code) // 8, code))


def program(pid: int) -> bytes:
    """The filter as BPF instructions of 8 bytes each, for this machine."""
    here = kernel.machine()
    assert here is not None
    code = [_op(_LD_ABS, _MACHINE_AT), _op(_JEQ, _AUDIT[here], 1, 0), _op(_RET, _KILL), _op(_LD_ABS, _NUMBER_AT)]
    if kernel.MACHINES[here] == "x86_64":
        code += [_op(_JGE, _X32, 0, 1), _op(_RET, _DENY)]
    for row in _ALLOWED.replace("\n", " ").split(","):
        number = row.split()[1 + here]
        if number != "-":
            code += [_op(_JEQ, int(number), 0, 1), _op(_RET, _ALLOW)]
    code += _when((72, 25)[here], 1, _FCNTL)
    code += _when((16, 29)[here], 1, _IOCTL)
    code += _when((302, 261)[here], 0, (0, pid))  # prlimit64
    for signalling in ((62, 129), (200, 130), (234, 131)):  # kill, tkill, tgkill
        code += _when(signalling[here], 0, (pid,))
    code += _when((53, 199)[here], 1, (_STREAM,), mask=0xF)  # socketpair
    code += _when((44, 206)[here], 4, (0,))  # sendto, to no address
    code.append(_op(_RET, _DENY))
    return b"".join(code)


def _when(number: int, argument: int, values: tuple[int, ...], mask: int = 0xFFFFFFFF) -> list[bytes]:
    """Allow a call when the lower half of one argument, masked, is one of some values."""
    body = [_op(_LD_ABS, 16 + 8 * argument), _op(_AND, mask)]
    for value in values:
        body += [_op(_JEQ, value, 0, 1), _op(_RET, _ALLOW)]
    body.append(_op(_RET, _DENY))
    return [_op(_JEQ, number, 0, len(body)), *body]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One ``struct sock_filter``; both machines are little-endian."""
    return struct.pack("<HBBI", code, if_true, if_false, value)
