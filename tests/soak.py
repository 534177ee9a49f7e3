"""How long the tests that may be long are: `make soak` sets TOCSIN_SOAK, and they try a hundred times as much of what is by
chance, and kill a hundred times."""

import os

IS_SOAK = bool(os.environ.get("TOCSIN_SOAK"))
KILLS = 100 if IS_SOAK else 15
LONGER = 100 if IS_SOAK else 1
