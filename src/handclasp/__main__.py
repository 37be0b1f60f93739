"""`python -m handclasp` is `handclasp`."""

from handclasp.cli.main import main

if __name__ == "__main__":
    main()
