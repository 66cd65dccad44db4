"""``python -m osprey``: the same as ``osprey``."""

import sys

from osprey.commands import main

if __name__ == "__main__":
    sys.exit(main())
