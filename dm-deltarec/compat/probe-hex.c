// SPDX-License-Identifier: GPL-2.0
/* Has hex2bin() a header of its own? */
#include <linux/hex.h>
