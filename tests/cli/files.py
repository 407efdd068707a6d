# SPDX-License-Identifier: GPL-2.0
"""Three-way merge of files: every case by hand, then trees, attacks and good
work by chance against an oracle that knows only the rules.

usage: files.py DIR-WITH-files-merge [SEED...]
"""
import os
import sys

import files_lib
from files_cases import cases
from files_random import chance

seeds = [int(s) for s in sys.argv[2:]]
if not seeds:
    cases()
chance(seeds or range(3000 if os.environ.get("DEEP") else 300))
print(f"1..{files_lib.results}")
sys.exit(files_lib.failures > 0)
