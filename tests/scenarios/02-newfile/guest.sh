#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A new file, and the old one unlinked: see refused.sh.
exec "$(dirname "$0")/../refused.sh" newfile ext4
