// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-map.c - the history as a picture.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "changes.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "draw/look.h"
#include "draw/map.h"
#include "draw/svg.h"
#include "epochs.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "device", "device", OUT_TEXT, OUT_BOTH },
	{ "file", "picture", OUT_TEXT, OUT_BOTH },
	{ "sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "size_bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "nr_epochs", "epochs", OUT_NUMBER, OUT_BOTH },
	{ "nr_rows", "rows", OUT_NUMBER, OUT_BOTH },
	{ "nr_buckets", "columns", OUT_NUMBER, OUT_BOTH },
	{ "bucket_sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "bucket_bytes", "column", OUT_BYTES, OUT_BOTH },
	{ "nr_samples", "blocks read", OUT_NUMBER, OUT_BOTH },
};

struct mapper {
	const char *name, *file;
	struct device_status status;
	struct epochs epochs;
	uint32_t from, to;
	size_t max_rows;
	struct map map;
};

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

/* --- what the command line says -------------------------------------------- */

static int parse(struct mapper *m, const struct cmd_line *line)
{
	const char *rows = cli_option(line, "rows"), *problem;
	struct epoch_ref ref;
	uint64_t number = MAP_ROWS;
	int code;

	m->file = cli_option(line, "output");
	if (!m->file && !line->json)
		return fail_usage("--output", "missing");
	if (m->file && !strcmp(m->file, "-") && line->json)
		return fail_usage("--json", "standard output cannot hold a picture, too");
	if (rows) {
		problem = parse_number(rows, &number);
		if (problem || !number || number > DR_MAX_EPOCHS)
			return fail_usage(rows, "%s", problem ? problem :
					  "not a number of rows");
	}
	m->max_rows = number;
	m->to = UINT32_MAX;
	code = device_name(line->argv[0], &m->name);
	if (!code && cli_option(line, "from"))
		code = epoch_parse(cli_option(line, "from"), &ref);
	if (!code && cli_option(line, "to"))
		code = epoch_parse(cli_option(line, "to"), &ref);
	return code;
}

/* What the words mean on this device, now. */
static int look_up(struct mapper *m, const struct cmd_line *line)
{
	int code = device_status(m->name, &m->status);

	if (!code)
		code = epoch_option(m->name, cli_option(line, "from"), &m->from);
	if (!code)
		code = epoch_option(m->name, cli_option(line, "to"), &m->to);
	if (!code && m->from > m->to)
		return fail_usage(cli_option(line, "from"),
				  "later than %u, where --to ends", m->to);
	return code ? code : epochs_load(m->name, &m->epochs);
}

/* --- what the device says -------------------------------------------------- */

static void progress(const struct mapper *m, size_t done)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%zu of %zu rows%s", done, m->map.nr,
		done == m->map.nr ? "\r\033[K" : "");
	fflush(stderr);
}

static int sample_row(struct mapper *m, struct map_row *row,
		      const struct range *ranges, size_t nr)
{
	struct sample samples[MAP_ROW_SAMPLES];
	struct look look;
	size_t n, i;
	int code, ret;

	n = map_pick(&m->map, ranges, nr, samples);
	if (!n)
		return DR_EXIT_OK;
	code = look_open(&look, m->name, row->seen);
	if (!code)
		samples_read(look.fd, samples, n);
	ret = look_close(&look);
	for (i = 0; !code && i < n; i++)
		map_add_sample(&m->map, row, &samples[i]);
	return code ? code : ret;
}

static int fill_row(struct mapper *m, struct map_row *row)
{
	struct range *ranges = NULL;
	size_t nr = 0;
	int code;

	row->written_sectors *= m->status.block_sectors;
	if (!row->base || row->base == row->seen)
		return DR_EXIT_OK;
	code = changes_between(m->name, row->base->id, row->seen->id, &ranges,
			       &nr);
	if (!code && map_add_ranges(&m->map, row, ranges, nr))
		code = no_memory();
	if (!code && m->map.sampled)
		code = sample_row(m, row, ranges, nr);
	free(ranges);
	return code;
}

static int collect(struct mapper *m)
{
	int code = DR_EXIT_OK;
	size_t i;

	epochs_count_head(&m->epochs, m->status.head_blocks);
	if (map_rows(&m->map, &m->epochs, m->from, m->to, m->max_rows))
		return no_memory();
	if (!m->map.nr)
		return fail(DR_EXIT_OPERATIONAL, m->name,
			    "'dmdelta log --all' lists them",
			    "no epochs from %u to %u", m->from, m->to);
	map_buckets(&m->map, m->status.sectors, MAP_BUCKETS);
	for (i = 0; !code && i < m->map.nr; i++) {
		progress(m, i);
		code = cancelled() ? fail_cancelled(m->name) :
		       fill_row(m, &m->map.rows[i]);
	}
	progress(m, m->map.nr);
	return code;
}

/* --- where it goes --------------------------------------------------------- */

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

/* Two decimals: what samples can tell. */
static struct json_object *json_bits(double bits, size_t nr_samples)
{
	char text[32];

	if (!nr_samples)
		return NULL;
	snprintf(text, sizeof(text), "%.2f", bits);
	return json_object_new_double_s(bits, text);
}

static struct json_object *json_cells(const struct map *map,
				      const struct map_row *row)
{
	struct json_object *cells = json_object_new_array(), *cell;
	const struct map_cell *c;
	size_t i;

	for (i = 0; row->cells && i < map->nr_buckets; i++) {
		c = &row->cells[i];
		if (!c->sectors)
			continue;
		cell = json_object_new_object();
		add_number(cell, "bucket", i);
		add_number(cell, "sectors", c->sectors);
		json_object_object_add(cell, "entropy",
				       json_bits(c->nr_samples ? c->bits /
						 c->nr_samples : 0,
						 c->nr_samples));
		add_number(cell, "nr_samples", c->nr_samples);
		add_number(cell, "nr_zero", c->nr_zero);
		json_object_array_add(cells, cell);
	}
	return cells;
}

static struct json_object *json_row(const struct map *map,
				    const struct map_row *row)
{
	struct json_object *o = json_object_new_object();
	const struct epoch *e = row->last;

	add_number(o, "first", row->first->id);
	add_number(o, "last", e->id);
	add_number(o, "nr_epochs", row->nr_epochs);
	json_object_object_add(o, "parent", row->first->has_parent ?
			       json_object_new_uint64(row->first->parent) :
			       NULL);
	json_object_object_add(o, "compared_with", row->base ?
			       json_object_new_uint64(row->base->id) : NULL);
	json_object_object_add(o, "time", e->has_time ?
			       json_object_new_uint64(e->time) : NULL);
	json_object_object_add(o, "label", row->labelled ?
			       json_object_new_string(row->labelled->label) :
			       NULL);
	json_object_object_add(o, "state", json_object_new_string(e->state));
	json_object_object_add(o, "how",
			       json_object_new_string(row->first->how));
	add_number(o, "written_sectors", row->written_sectors);
	add_number(o, "differs_sectors", row->differs_sectors);
	add_number(o, "nr_ranges", row->nr_ranges);
	add_number(o, "nr_samples", row->nr_samples);
	json_object_object_add(o, "entropy", json_bits(map_row_bits(map, row),
						       row->nr_samples));
	json_object_object_add(o, "cells", json_cells(map, row));
	return o;
}

static void put_result(const struct mapper *m)
{
	const struct map *map = &m->map;
	struct json_object *rows;
	uint64_t nr_samples = 0;
	size_t i;

	for (i = 0; i < map->nr; i++)
		nr_samples += map->rows[i].nr_samples;
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(m->name), out_text(m->file), out_number(map->sectors),
		out_number(map->sectors << SECTOR_SHIFT),
		out_number(map->nr_epochs), out_number(map->nr),
		out_number(map->nr_buckets), out_number(map->bucket_sectors),
		out_number(map->bucket_sectors << SECTOR_SHIFT),
		out_number(nr_samples) });
	if (!out_is_json())
		return;
	rows = json_object_new_array();
	for (i = 0; i < map->nr; i++)
		json_object_array_add(rows, json_row(map, &map->rows[i]));
	out_object("rows", rows);
}

/* "dmdelta map disk -o x.svg": how to make it again */
static char *command_text(const struct mapper *m)
{
	char *text;

	if (asprintf(&text, "dmdelta map %s%s%s", m->name,
		     m->map.sampled ? "" : " --no-entropy",
		     m->from || m->to != UINT32_MAX ? " (a part)" : "") < 0)
		return NULL;
	return text;
}

static int draw(struct mapper *m)
{
	bool to_stdout = !strcmp(m->file, "-");
	FILE *f = to_stdout ? stdout : fopen(m->file, "we");
	char *command = command_text(m);
	int error = 0;

	if (!f) {
		free(command);
		return fail_errno(m->file, "open", -errno);
	}
	m->map.device = m->name;
	m->map.command = command;
	m->map.time = time(NULL);
	svg_map(f, &m->map);
	free(command);
	if (fflush(f) || ferror(f))
		error = errno ?: EIO;
	if (!to_stdout && fclose(f) && !error)
		error = errno;
	return error ? fail_errno(m->file, "write", -error) : DR_EXIT_OK;
}

int cmd_map(const struct cmd_line *line)
{
	struct mapper m = {
		.map.sampled = !cli_option(line, "no-entropy"),
	};
	int code = parse(&m, line);

	if (!code)
		code = look_up(&m, line);
	if (!code)
		code = collect(&m);
	if (!code && m.file)
		code = draw(&m);
	if (!code && (!m.file || strcmp(m.file, "-")))
		put_result(&m);
	map_free(&m.map);
	epochs_free(&m.epochs);
	return code;
}
