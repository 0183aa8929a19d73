"""Run a program: `python -m clients.python call|watch|say|hear|chat`. docs/CLIENTS.md describes flags and output."""

import sys

from clients.python.programs.main import main

sys.exit(main())
