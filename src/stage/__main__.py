"""`python -m stage`: the command line."""

from stage.commands import main

if __name__ == "__main__":
    main()
