import sys

if sys.argv[1:2] == ["train"]:
    # numba looks for SciPy's BLAS when it loads its first kernel: 0.2 s in each of hundreds of jobs that never use it
    sys.modules.setdefault("scipy", None)

from lpi.cli import main

sys.exit(main())
