"""What keeps a process that reads somebody's file to itself: limits, no network, no other program, no child.

The limits are the kernel's own. The way out is shut by a seccomp filter where the kernel and the processor are known
(Linux on x86-64 and ARM64); elsewhere a reader has nothing to say to anybody all the same: neither an address of a
database, nor a key, nor a setting.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

from msgspec import Struct

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONTZPATH", "PYTHONDONTWRITEBYTECODE")
OPEN_FILES = 128
NICE = 5  # whoever waits for an answer comes first

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the classic BPF
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
_OTHER_ABI = 0x40000000  # system calls of x32 are numbered from here on

# By architecture: its own number, and those of socket, connect, accept, sendto, bind, listen, socketpair, clone, fork,
# vfork, execve, kill, ptrace, rt_sigqueueinfo, tkill, tgkill, accept4, rt_tgsigqueueinfo, prlimit64, process_vm_readv,
# process_vm_writev, execveat, pidfd_send_signal, io_uring_setup, pidfd_open, clone3, pidfd_getfd.
_X86_64 = "41 42 43 44 49 50 53 56 57 58 59 62 101 129 200 234 288 297 302 310 311 322 424 425 434 435 438"
_ARM64 = "198 203 202 206 200 201 199 220 221 129 117 138 130 131 242 240 261 270 271 281 424 425 434 435 438"
_SHUT = {
    "x86_64": (0xC000003E, tuple(map(int, _X86_64.split()))),
    "aarch64": (0xC00000B7, tuple(map(int, _ARM64.split()))),
}


class Limits(Struct, frozen=True):
    """Seconds of computing; bytes of memory; bytes of a file it writes for itself."""

    seconds: int
    memory: int
    disk: int


def environment() -> dict[str, str]:
    """What a reader may know of ours: where programs, time zones and temporary files are. No key, no address."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def enter(limits: Limits) -> None:
    """Shut this process in, for good. Past its seconds it is ended with SIGXCPU, past its memory by MemoryError."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.disk, limits.disk))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    # On Linux what a process writes to counts; elsewhere all that it maps, libraries included.
    which = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    resource.setrlimit(which, (limits.memory, limits.memory))
    if sys.platform == "linux":
        _install_filter()


def die_with_parent() -> None:
    """Where the kernel can do it (Linux), a child is killed when who forked it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def filter_available() -> bool:
    """Whether the way out can be shut here."""
    return sys.platform == "linux" and platform.machine() in _SHUT


def _install_filter() -> None:
    if not filter_available():
        return
    program = _program(*_SHUT[platform.machine()])
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described):
        raise OSError(ctypes.get_errno(), "the way out of a reader could not be shut")


def _program(architecture: int, shut: tuple[int, ...]) -> bytes:
    """Refuse these system calls and those of any other architecture with EPERM; allow the rest."""
    last = len(shut) + 1  # instructions to jump over, from the first comparison of a number to the refusal
    lines = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, last + 2, architecture),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, last, 0, _OTHER_ABI),
        *((_EQUAL, last - 1 - n, 0, number) for n, number in enumerate(shut)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
