// SPDX-License-Identifier: GPL-2.0
/* Does dm_io() take an I/O priority? */
#include <linux/ioprio.h>
#include <linux/dm-io.h>

int probe(struct dm_io_request *req, struct dm_io_region *where);
int probe(struct dm_io_request *req, struct dm_io_region *where)
{
	return dm_io(req, 1, where, NULL, IOPRIO_DEFAULT);
}
