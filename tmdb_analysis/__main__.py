"The command `tmdb` as `python -m tmdb_analysis`, where no folder of scripts is on the PATH."

import sys

from tmdb_analysis import command

if __name__ == "__main__":
    sys.exit(command())
