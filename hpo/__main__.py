"""Run the command line as ``python -m hpo``."""

from hpo.cli.app import main

if __name__ == "__main__":
    main()
