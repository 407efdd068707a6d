# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts beside it: paths and messages that all of them share.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dm-deltarec
# Debian keeps mke2fs, dmsetup and others where a plain user does not look.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

self=${0##*/}
note() { echo "$self: $*" >&2; }
die() { note "$*"; exit 1; }

# Run a command under an exclusive lock in the cache, so that two runs at the
# same time make an entry once:  with_lock NAME COMMAND...
with_lock() {
	local lock=$cache/$1.lock
	shift
	mkdir -p "$cache"
	( flock 9 && "$@" 9>&- ) 9>"$lock"
}
