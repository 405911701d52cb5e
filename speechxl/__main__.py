"""``python -m speechxl``."""

import sys

from speechxl.cli import main

sys.exit(main())
