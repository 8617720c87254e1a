"""Limits of a worker process: what a hostile recording could reach through a decoder.

Everywhere on POSIX: memory, processor time, open files and no writing of files. On Linux also:
reading is limited to the programs and the spool (Landlock, from Linux 5.13), and there is no
network (Landlock from Linux 6.7, a network namespace where the system allows one).
"""

import ctypes
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MAX_FILES = 64
"""Open files of a worker."""
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _VERSION_FLAG, _NO_NEW_PRIVS = 1, 1, 38
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_ALL_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))
"""Number of file rights by version of Landlock."""
_NETWORK_VERSION, _SCOPE_VERSION = 4, 6
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000


def restrict(paths: Iterable[Path]) -> list[str]:
    """Limit files and network of this process for the rest of its life.

    Call it before there are other threads, which it would not reach.

    Args:
        paths: Folders and files that may be read, beside the folders of the programs.

    Returns:
        What is in force: "files", "network".
    """
    done: list[str] = []
    if sys.platform == "win32":
        return done
    import resource

    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        isolated = _no_network(libc)
        version = _landlock(libc, paths)
        if version:
            done.append("files")
        if isolated or version >= _NETWORK_VERSION:
            done.append("network")
    return done


def limit_memory(memory_mb: int) -> list[str]:
    """Limit the memory that this process takes from now on; ["memory"] where that is possible."""
    if sys.platform == "win32":
        return []
    import resource

    try:
        limit = _address_space() + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ValueError, OSError):
        return []
    return ["memory"]


def is_memory_used_up() -> bool:
    """Whether a thread or a module may fail to start because of :func:`limit_memory`."""
    if sys.platform == "win32":
        return False
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit != resource.RLIM_INFINITY and limit - _address_space() < 2**26


def limit_cpu(seconds: float) -> None:
    """End this process when it used so many more seconds of processor time."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _address_space() -> int:
    """Bytes of address space in use; 8 GiB where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 2**33


def _no_network(libc: ctypes.CDLL) -> bool:
    """Move to a network namespace without devices, as root or in a user namespace."""
    return any(libc.unshare(flags) == 0 for flags in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK))


def _landlock(libc: ctypes.CDLL, paths: Iterable[Path]) -> int:
    """Allow reading these paths and the programs only; the version in force, 0 for none."""
    version: int = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return 0
    n_rights = max(n for least, n in _ALL_FILE_RIGHTS if least <= version)
    rights = [(1 << n_rights) - 1]
    if version >= _NETWORK_VERSION:
        rights.append(0b11)  # bind and connect TCP
    if version >= _SCOPE_VERSION:
        rights.append(0b11)  # abstract sockets and signals
    handled = (ctypes.c_uint64 * len(rights))(*rights)
    ruleset: int = libc.syscall(_CREATE_RULESET, handled, ctypes.sizeof(handled), 0)
    if ruleset < 0:
        return 0
    try:
        for path in {*paths, *_program_folders()}:
            _allow_reading(libc, ruleset, path)
        if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(_RESTRICT_SELF, ruleset, 0):
            return 0
    finally:
        os.close(ruleset)
    return version


def _program_folders() -> Iterable[Path]:
    """Folders of Python, its packages, this package and the system's libraries."""
    paths = sysconfig.get_paths()
    folders = {paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]}
    folders |= {*site.getsitepackages(), str(Path(__file__).resolve().parents[1])}
    folders |= {each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")}
    folders |= {"/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo"}
    folders |= {"/proc/self", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom"}
    for name in folders:
        path = Path(name)
        if path.exists():
            yield path


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    rights = _READ_FILE | _EXECUTE | _READ_DIR if path.is_dir() else _READ_FILE
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not readable: who needs it says so
    try:
        rule = _PathBeneath(rights, handle)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)
