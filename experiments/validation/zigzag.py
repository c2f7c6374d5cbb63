"""Compare with one source:

python experiments/validation/zigzag.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "zigzag", *sys.argv[1:]])
