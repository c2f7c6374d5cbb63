"""Compare with one source:

python experiments/validation/shidiannao.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "shidiannao", *sys.argv[1:]])
