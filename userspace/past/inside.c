// SPDX-License-Identifier: GPL-2.0
/*
 * inside.c - partitions, logical volumes, file systems (libblkid).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <blkid.h>

#include "cli.h"
#include "past/inside.h"
#include "past/lvm.h"
#include "volume.h"

#define MAX_SEGMENTS	4096

static const char lvm_member[] = "LVM2_member";

struct inside_volume *inside_add(struct inside *in, const char *what)
{
	struct inside_volume *vol = realloc(in->vol, (in->nr + 1) *
					    sizeof(*vol));

	if (!vol)
		return NULL;
	in->vol = vol;
	vol += in->nr;
	memset(vol, 0, sizeof(*vol));
	vol->what = strdup(what);
	vol->type = strdup("");
	vol->uuid = strdup("");
	vol->label = strdup("");
	in->nr++;
	return vol->what && vol->type && vol->uuid && vol->label ? vol : NULL;
}

int inside_add_segment(struct inside_volume *vol, uint64_t dev_start,
		       uint64_t sectors)
{
	struct inside_segment *seg;

	if (vol->nr_seg >= MAX_SEGMENTS)
		return -E2BIG;
	seg = realloc(vol->seg, (vol->nr_seg + 1) * sizeof(*seg));
	if (!seg)
		return -ENOMEM;
	vol->seg = seg;
	seg += vol->nr_seg++;
	seg->fs_start = seg == vol->seg ? 0 :
			seg[-1].fs_start + seg[-1].sectors;
	seg->dev_start = dev_start;
	seg->sectors = sectors;
	return 0;
}

static void free_volume(struct inside_volume *vol)
{
	free(vol->what);
	free(vol->type);
	free(vol->uuid);
	free(vol->label);
	free(vol->why);
	free(vol->seg);
}

void inside_free(struct inside *in)
{
	size_t i;

	for (i = 0; i < in->nr; i++)
		free_volume(&in->vol[i]);
	free(in->vol);
	free(in->ptable);
	memset(in, 0, sizeof(*in));
}

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

/* --- probing ------------------------------------------------------------------ */

static int take_value(blkid_probe probe, const char *key, char **to)
{
	const char *value;
	char *copy;

	if (blkid_probe_lookup_value(probe, key, &value, NULL))
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* Type, uuid and label of what lies at @start of @v */
static int probe_range(const struct volume *v, uint64_t start,
		       uint64_t sectors, struct inside_volume *vol)
{
	blkid_probe probe = blkid_new_probe();
	int found = -1, ret = 0;

	if (!probe)
		return -ENOMEM;
	if (!blkid_probe_set_device(probe, v->fd, start << SECTOR_SHIFT,
				    sectors << SECTOR_SHIFT)) {
		blkid_probe_enable_superblocks(probe, 1);
		blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
						  BLKID_SUBLKS_UUID |
						  BLKID_SUBLKS_LABEL |
						  BLKID_SUBLKS_USAGE);
		found = blkid_do_safeprobe(probe);
	}
	if (!found) {
		ret = take_value(probe, "TYPE", &vol->type);
		if (!ret)
			ret = take_value(probe, "UUID", &vol->uuid);
		if (!ret)
			ret = take_value(probe, "LABEL", &vol->label);
	} else if (found == -2) {
		vol->why = strdup("the signatures of several file systems");
	}
	blkid_free_probe(probe);
	return ret;
}

static int add_partition(struct inside *in, const struct volume *v,
			 blkid_partition part)
{
	uint64_t start = blkid_partition_get_start(part);
	uint64_t sectors = blkid_partition_get_size(part);
	uint64_t end = v->bytes >> SECTOR_SHIFT;
	struct inside_volume *vol;
	char what[32];

	if (blkid_partition_is_extended(part) || !sectors)
		return 0;
	snprintf(what, sizeof(what), "partition %d",
		 blkid_partition_get_partno(part));
	vol = inside_add(in, what);
	if (!vol)
		return -ENOMEM;
	vol->sectors = sectors;
	if (start > end || sectors > end - start) {
		vol->why = strdup("it reaches behind the end of the device");
		return vol->why ? 0 : -ENOMEM;
	}
	if (inside_add_segment(vol, start, sectors))
		return -ENOMEM;
	return probe_range(v, start, sectors, vol);
}

static int probe_partitions(const struct volume *v, struct inside *in)
{
	blkid_probe probe = blkid_new_probe();
	blkid_partlist list = NULL;
	blkid_parttable table;
	blkid_partition part;
	int i, nr, ret = 0;

	if (!probe)
		return -ENOMEM;
	if (!blkid_probe_set_device(probe, v->fd, 0, 0)) {
		blkid_probe_enable_partitions(probe, 1);
		list = blkid_probe_get_partitions(probe);
	}
	table = list ? blkid_partlist_get_table(list) : NULL;
	if (table) {
		free(in->ptable);
		in->ptable = strdup(blkid_parttable_get_type(table));
		nr = blkid_partlist_numof_partitions(list);
		for (i = 0; i < nr && !ret; i++) {
			part = blkid_partlist_get_partition(list, i);
			ret = add_partition(in, v, part);
		}
	}
	blkid_free_probe(probe);
	return ret;
}

/* A file system on the whole comes first: some keep a boot sector in front. */
static int probe_device(const struct volume *v, struct inside *in)
{
	uint64_t sectors = v->bytes >> SECTOR_SHIFT;
	struct inside_volume *vol = inside_add(in, INSIDE_DEVICE);
	int ret;

	if (!vol || inside_add_segment(vol, 0, sectors))
		return -ENOMEM;
	vol->sectors = sectors;
	ret = probe_range(v, 0, sectors, vol);
	if (ret || vol->type[0])
		return ret;
	ret = probe_partitions(v, in);
	if (ret || in->nr == 1)
		return ret;
	/* Partitions instead of the whole */
	free_volume(&in->vol[0]);
	memmove(&in->vol[0], &in->vol[1], --in->nr * sizeof(*in->vol));
	return 0;
}

/* --- LVM ------------------------------------------------------------------------ */

static bool is_pv(const struct inside_volume *vol)
{
	return !strcmp(vol->type, lvm_member) && vol->nr_seg == 1;
}

/* What logical volume @vol holds */
static int probe_logical(const char *node, const struct volume *v,
			 struct inside_volume *vol)
{
	struct volume whole;
	struct layer layer;
	int code, ret;

	if (vol->why)
		return DR_EXIT_OK;
	if (vol->nr_seg == 1) {
		ret = probe_range(v, vol->seg->dev_start, vol->sectors, vol);
		return ret ? no_memory() : DR_EXIT_OK;
	}
	code = inside_layer(node, vol, true, &layer);
	if (!code)
		code = volume_open(&whole, layer.node, VOLUME_READ);
	if (!code) {
		if (probe_range(&whole, 0, vol->sectors, vol))
			code = no_memory();
		volume_close(&whole);
	}
	layer_close(&layer);
	return code;
}

/* Volumes in place of the physical volumes; one without any stays listed */
static void forget_pvs(struct inside *in)
{
	size_t i, n = 0;

	for (i = 0; i < in->nr; i++) {
		if (is_pv(&in->vol[i]))
			free_volume(&in->vol[i]);
		else
			in->vol[n++] = in->vol[i];
	}
	in->nr = n;
}

static int probe_lvm(const char *node, const struct volume *v,
		     struct inside *in)
{
	size_t nr_before = in->nr, nr = 0, i;
	struct layer *layers = calloc(in->nr, sizeof(*layers));
	struct lvm_pv *pvs = calloc(in->nr, sizeof(*pvs));
	int code = layers && pvs ? DR_EXIT_OK : no_memory();

	for (i = 0; !code && i < nr_before; i++) {
		const struct inside_volume *vol = &in->vol[i];

		if (!is_pv(vol))
			continue;
		code = inside_layer(node, vol, true, &layers[nr]);
		snprintf(pvs[nr].uuid, sizeof(pvs[nr].uuid), "%s", vol->uuid);
		snprintf(pvs[nr].node, sizeof(pvs[nr].node), "%s",
			 layers[nr].node);
		pvs[nr++].dev_start = vol->seg->dev_start;
	}
	if (!code && nr)
		code = lvm_probe(pvs, nr, in);
	for (i = 0; i < nr; i++)
		layer_close(&layers[i]);
	for (i = nr_before; !code && i < in->nr; i++)
		code = probe_logical(node, v, &in->vol[i]);
	if (!code && in->nr > nr_before)
		forget_pvs(in);
	free(layers);
	free(pvs);
	return code;
}

int inside_probe(const char *node, struct inside *in)
{
	struct volume v;
	int code;

	memset(in, 0, sizeof(*in));
	code = volume_open(&v, node, VOLUME_READ);
	if (code)
		return code;
	in->ptable = strdup("");
	if (!in->ptable || probe_device(&v, in))
		code = no_memory();
	if (!code)
		code = probe_lvm(node, &v, in);
	volume_close(&v);
	return code;
}

/* --- volumes as devices -------------------------------------------------------------- */

int inside_layer(const char *node, const struct inside_volume *vol,
		 bool read_only, struct layer *layer)
{
	struct mapper_target *targets = calloc(vol->nr_seg, sizeof(*targets));
	char (*params)[48] = calloc(vol->nr_seg, sizeof(*params));
	struct layer_spec spec = {
		.kind = LAYER_VOLUME, .of = "", .targets = targets,
		.nr = vol->nr_seg, .read_only = read_only,
	};
	struct volume v;
	size_t i;
	int code;

	memset(layer, 0, sizeof(*layer));
	layer->fd = -1;
	code = targets && params ? volume_open(&v, node, VOLUME_READ) :
	       no_memory();
	if (!code) {
		for (i = 0; i < vol->nr_seg; i++) {
			snprintf(params[i], sizeof(params[i]),
				 "%u:%u %" PRIu64, major(v.devno),
				 minor(v.devno), vol->seg[i].dev_start);
			targets[i] = (struct mapper_target){
				vol->seg[i].sectors, "linear", params[i]
			};
		}
		code = layer_open(vol->what, &spec, layer);
		volume_close(&v);
	}
	free(targets);
	free(params);
	return code;
}

/* --- which one ------------------------------------------------------------------------- */

bool inside_mountable(const struct inside_volume *vol)
{
	static const char *const others[] = {
		"swap", "crypto_LUKS", lvm_member, "linux_raid_member",
		"BitLocker", "DM_snapshot_cow", "jbd", "ceph_bluestore",
	};
	size_t i;

	if (!vol->type[0] || vol->why)
		return false;
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(vol->type, others[i]))
			return false;
	return true;
}

static bool is_meant(const struct inside_volume *vol, const char *word)
{
	static const char partition[] = "partition ";

	if (!strcmp(vol->what, word) ||
	    (vol->uuid[0] && !strcmp(vol->uuid, word)) ||
	    (vol->label[0] && !strcmp(vol->label, word)))
		return true;
	return !strncmp(vol->what, partition, sizeof(partition) - 1) &&
	       !strcmp(vol->what + sizeof(partition) - 1, word);
}

/* "partition 1 (ext4), vg0/root (xfs)" */
static char *list_volumes(const struct inside *in)
{
	char *text = NULL;
	size_t i, size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return strdup("");
	for (i = 0; i < in->nr; i++)
		fprintf(f, "%s%s (%s)", i ? ", " : "", in->vol[i].what,
			in->vol[i].type[0] ? in->vol[i].type : "unknown");
	fclose(f);
	return text;
}

static int pick_by(const struct inside *in, const char *word, size_t *nr)
{
	size_t i, found = 0;

	for (i = 0; i < in->nr; i++) {
		if (word ? !is_meant(&in->vol[i], word) :
			   !inside_mountable(&in->vol[i]))
			continue;
		*nr = i;
		found++;
	}
	return found;
}

int inside_pick(const struct inside *in, const char *word, const char *thing,
		size_t *nr)
{
	int code = DR_EXIT_OK, found = pick_by(in, word, nr);
	const struct inside_volume *vol;
	char *list;

	/* When it is the only one that could be meant, let mount say why. */
	if (!found && !word && in->nr == 1) {
		*nr = 0;
		found = 1;
	}
	list = list_volumes(in);
	if (!found && word)
		code = fail(DR_EXIT_OPERATIONAL, word, "choose one of them",
			    "no such volume; there are: %s", list);
	else if (!found)
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta view' shows the device itself",
			    "no file system was found; there are: %s", list);
	else if (found > 1)
		code = fail(DR_EXIT_OPERATIONAL, word ? word : thing,
			    "choose one with --volume",
			    "several volumes: %s", list);
	free(list);
	if (code)
		return code;
	vol = &in->vol[*nr];
	if (vol->why)
		return fail(DR_EXIT_OPERATIONAL, vol->what,
			    "'dmdelta view' shows the device itself", "%s",
			    vol->why);
	if (!inside_mountable(vol))
		return fail(DR_EXIT_OPERATIONAL, vol->what,
			    "'dmdelta view' shows the device itself",
			    vol->type[0] ? "it holds %s, not a file system" :
			    "it holds nothing that is known%s", vol->type);
	return DR_EXIT_OK;
}
