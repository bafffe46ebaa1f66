"""``python -m scalefit`` is the command ``scalefit``."""

from scalefit.cli import main

if __name__ == "__main__":
    main()
