#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Truncated and written anew: see refused.sh.
exec "$(dirname "$0")/../refused.sh" truncate xfs
