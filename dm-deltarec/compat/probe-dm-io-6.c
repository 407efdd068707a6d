// SPDX-License-Identifier: GPL-2.0
/* Does dm_io() report unsupported requests apart? */
#include <linux/ioprio.h>
#include <linux/dm-io.h>

int probe(struct dm_io_request *req, struct dm_io_region *where);
int probe(struct dm_io_request *req, struct dm_io_region *where)
{
	return dm_io(req, 1, where, NULL, NULL, IOPRIO_DEFAULT);
}
