"""`python -m bittern` is `bittern`."""

import sys

from bittern.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
