import sys

from lpi.cli import main

sys.exit(main())
