import sys

if sys.argv[1:2] and sys.argv[1] in ("train", "reference", "optima", "locality", "acting"):
    # numba looks for SciPy's BLAS when it loads its first kernel, and for a configuration in YAML when it is imported:
    # 0.2 s in each of hundreds of jobs that never use either
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]  # None: not to be found
    sys.modules.setdefault("yaml", None)  # type: ignore[arg-type]

from lpi.cli import main

sys.exit(main())
