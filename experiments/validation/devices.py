"""Compare with one source:

python experiments/validation/devices.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "devices", *sys.argv[1:]])
