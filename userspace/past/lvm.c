// SPDX-License-Identifier: GPL-2.0
/*
 * lvm.c - two reports: which volumes there are, and where their pieces lie.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "past/lvm.h"
#include "tool.h"

/* All that could make them write, or look elsewhere */
#define CONFIG_BACKUP	"backup { backup=0 archive=0 } "
#define CONFIG_FILTER	"filter=[\"a|.*|\"] global_filter=[\"a|.*|\"] "
#define CONFIG_SOURCE	"external_device_info_source=\"none\" hints=\"none\" "
#define CONFIG_LIST	"obtain_device_list_from_udev=0 "
#define CONFIG_REPORT	"report { mark_hidden_devices=0 } "

static const char config[] = CONFIG_BACKUP CONFIG_REPORT
	"devices { " CONFIG_FILTER CONFIG_SOURCE CONFIG_LIST "}";

/* "{"report": [{"<kind>": [<row>, ...]}]}": the rows, or NULL */
static struct json_object *rows_of(struct json_object *doc, const char *kind)
{
	struct json_object *report, *rows;

	if (!json_object_object_get_ex(doc, "report", &report) ||
	    !json_object_is_type(report, json_type_array) ||
	    !json_object_array_length(report) ||
	    !json_object_object_get_ex(json_object_array_get_idx(report, 0),
				       kind, &rows) ||
	    !json_object_is_type(rows, json_type_array))
		return NULL;
	return rows;
}

/*
 * Run "<tool> ... -o <fields>" over @pvs. *@doc is to be put, *@rows belong
 * to it.
 */
static int read_rows(const char *tool, const char *kind, const char *fields,
		     const struct lvm_pv *pvs, size_t nr,
		     struct json_object **doc, struct json_object **rows)
{
	const char *argv[15] = {
		tool, "--readonly", "--devices", NULL, "--config", config,
		"--segments", "--reportformat", "json", "--units", "s",
		"--nosuffix", "-o", fields, NULL
	};
	struct tool_result result;
	char *nodes;
	size_t i;
	int code = DR_EXIT_OK, ret;

	*doc = NULL;
	*rows = NULL;
	nodes = calloc(nr, sizeof(pvs->node) + 1);
	if (!nodes)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; i < nr; i++)
		strcat(strcat(nodes, i ? "," : ""), pvs[i].node);
	argv[3] = nodes;
	ret = tool_run(argv, &result);
	if (ret)
		code = fail_errno(tool, "run", ret);
	else if (result.status)
		code = tool_fail("LVM", tool, "lvm2", &result);
	if (!code) {
		*doc = json_tokener_parse(result.out);
		*rows = rows_of(*doc, kind);
		if (!*rows)
			code = fail(DR_EXIT_OPERATIONAL, "LVM",
				    "see what it prints",
				    "the report of %s is not understood", tool);
	}
	tool_free(&result);
	free(nodes);
	return code;
}

/* Values of reports are strings, always. */
static const char *text(struct json_object *row, const char *key)
{
	struct json_object *value;
	const char *s = NULL;

	if (json_object_object_get_ex(row, key, &value))
		s = json_object_get_string(value);
	return s ? s : "";
}

static uint64_t number(struct json_object *row, const char *key)
{
	return strtoull(text(row, key), NULL, 10);
}

static const struct lvm_pv *find_pv(const struct lvm_pv *pvs, size_t nr,
				    const char *uuid)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(pvs[i].uuid, uuid))
			return &pvs[i];
	return NULL;
}

static int compare_segments(const void *a, const void *b)
{
	const struct inside_segment *x = a, *y = b;

	return x->fs_start < y->fs_start ? -1 : x->fs_start > y->fs_start;
}

/* The pieces of one volume that are on our @pvs. */
static int add_pieces(struct inside_volume *vol, const char *lv_uuid,
		      struct json_object *pieces, const struct lvm_pv *pvs,
		      size_t nr)
{
	size_t i, n = json_object_array_length(pieces);

	for (i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(pieces, i);
		const struct lvm_pv *pv = find_pv(pvs, nr,
						  text(row, "pv_uuid"));
		uint64_t extent = number(row, "vg_extent_size");
		uint64_t start;

		if (!pv || strcmp(text(row, "lv_uuid"), lv_uuid))
			continue;
		start = pv->dev_start + number(row, "pe_start") +
			number(row, "pvseg_start") * extent;
		if (inside_add_segment(vol, start,
				       number(row, "pvseg_size") * extent))
			return -ENOMEM;
		vol->seg[vol->nr_seg - 1].fs_start = number(row, "seg_start");
	}
	if (vol->nr_seg)
		qsort(vol->seg, vol->nr_seg, sizeof(*vol->seg),
		      compare_segments);
	return 0;
}

static bool complete(const struct inside_volume *vol)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < vol->nr_seg; i++) {
		if (vol->seg[i].fs_start != at)
			return false;
		at += vol->seg[i].sectors;
	}
	return at && at == vol->sectors;
}

/* Rows of one volume follow each other: @row is its first. */
static int add_volume(struct inside *in, struct json_object *row,
		      const char *segtype, struct json_object *pieces,
		      const struct lvm_pv *pvs, size_t nr)
{
	struct inside_volume *vol;
	char what[300], why[160] = "";

	snprintf(what, sizeof(what), "%s/%s", text(row, "vg_name"),
		 text(row, "lv_name"));
	vol = inside_add(in, what);
	if (!vol)
		return -ENOMEM;
	vol->sectors = number(row, "lv_size");
	if (strcmp(segtype, "linear"))
		snprintf(why, sizeof(why),
			 "a volume of the kind '%s'; only linear ones can be put together",
			 segtype);
	else if (add_pieces(vol, text(row, "lv_uuid"), pieces, pvs, nr))
		return -ENOMEM;
	else if (!complete(vol))
		snprintf(why, sizeof(why), "parts of it are on other devices");
	if (!why[0])
		return 0;
	vol->nr_seg = 0;
	vol->why = strdup(why);
	return vol->why ? 0 : -ENOMEM;
}

static int add_volumes(struct inside *in, struct json_object *segments,
		       struct json_object *pieces, const struct lvm_pv *pvs,
		       size_t nr)
{
	size_t i, k, n = json_object_array_length(segments);
	int ret = 0;

	for (i = 0; i < n && !ret; i = k) {
		struct json_object *row, *next;
		const char *segtype;

		row = json_object_array_get_idx(segments, i);
		segtype = text(row, "segtype");
		/* One segment that is not linear decides. */
		for (k = i + 1; k < n; k++) {
			next = json_object_array_get_idx(segments, k);
			if (strcmp(text(next, "lv_uuid"),
				   text(row, "lv_uuid")))
				break;
			if (strcmp(text(next, "segtype"), "linear"))
				segtype = text(next, "segtype");
		}
		ret = add_volume(in, row, segtype, pieces, pvs, nr);
	}
	return ret;
}

int lvm_probe(const struct lvm_pv *pvs, size_t nr, struct inside *in)
{
	struct json_object *lvs_doc, *pvs_doc = NULL, *segments, *pieces;
	int code;

	code = read_rows("lvs", "seg",
			 "vg_name,lv_name,lv_uuid,segtype,lv_size",
			 pvs, nr, &lvs_doc, &segments);
	if (!code)
		code = read_rows("pvs", "pvseg",
				 "lv_uuid,pv_uuid,pe_start,vg_extent_size,pvseg_start,pvseg_size,seg_start",
				 pvs, nr, &pvs_doc, &pieces);
	if (!code && add_volumes(in, segments, pieces, pvs, nr))
		code = fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	json_object_put(lvs_doc);
	json_object_put(pvs_doc);
	return code;
}
