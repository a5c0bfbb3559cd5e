"""What makes this machine compute as an older processor does: other vector units, hence other last digits."""

SETTINGS = {
    "OPENBLAS_CORETYPE": "Prescott",  # SSE3
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL",
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
"""Environment variables of a process; those that a machine does not know change nothing there."""
