"""``augment_data`` from a checkout."""

import sys

from osprey.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("augment"))
