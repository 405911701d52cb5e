"""Memory of the C library on a CPU."""

import ctypes
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_heap() -> None:
    """Keeps freed memory for the next allocation instead of giving it back to the system.

    The tensors of a training step are large and come and go in the same sizes. glibc maps each of them afresh, and the
    system then zeroes every page: elementwise operations take about five times as long as the arithmetic needs.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_TOP_PAD, 2**26)
