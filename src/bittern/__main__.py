"""`python -m bittern` is `bittern`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - pip sees to it, but a checkout may be started with any
    sys.exit("bittern needs Python 3.11 or newer, this is {}.{}: start it with another".format(*sys.version_info[:2]))

from bittern.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
