// SPDX-License-Identifier: GPL-2.0
/*
 * svg.c - a map drawn as one SVG file.
 *
 * Colours are told apart by people with any kind of colour vision: four hues
 * for entropy (blue, teal, yellow, red; the steps between them were measured
 * under simulated protanopia, deuteranopia and tritanopia), four lightnesses
 * for amount. What matters most does not depend on colour at all, so that it
 * is there in a black and white print, too: random content has a dark foot,
 * zeroes fill half of the height, what was not looked at is hatched.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "names.h"
#include "output.h"
#include "recover/run.h"
#include "svg.h"
#include "text.h"

#define MARGIN		28
#define LANE_WIDTH	14
#define MAX_LANES	16	/* those behind are drawn in the last one */
#define EPOCH_WIDTH	84
#define TIME_WIDTH	134
#define LABEL_WIDTH	176
#define MAP_WIDTH	720
#define WRITTEN_WIDTH	150
#define BAR_WIDTH	70
#define LEGEND_TOP	84
#define MAP_TOP		218
#define LABEL_LETTERS	20
#define MAX_TICKS	8

enum { NR_AMOUNTS = 4, NR_LEVELS = 4 };

/* Share of a bucket from which an amount begins */
static const double amounts[NR_AMOUNTS] = { 0, 0.01, 0.10, 0.50 };
static const char *const amount_words[NR_AMOUNTS] = {
	"under 1 %", "1–10 %", "10–50 %", "over 50 %",
};

/* Bits per byte from which a level begins */
static const double levels[NR_LEVELS] = {
	0, 3, ENTROPY_COMPRESSIBLE, ENTROPY_RANDOM,
};

static const char *const level_words[NR_LEVELS] = {
	"0 to 3: sparse", "3 to 6: text, tables, programs",
	"6 to 7.8: packed, mixed", "over 7.8: random, compressed, encrypted",
};

static const char *const colours[NR_LEVELS][NR_AMOUNTS] = {
	{ "#bed5fe", "#7caafe", "#447be4", "#1649ae" },
	{ "#b9e4e6", "#90babc", "#668f91", "#386062" },
	{ "#ffe08d", "#dcb43c", "#ad8900", "#755c00" },
	{ "#feb8aa", "#fe7157", "#d5351b", "#8f1200" },
};

static const char *const greys[NR_AMOUNTS] = {
	"#d4d4d4", "#b0b0b0", "#8a8a8a", "#5f5f5f",
};

struct svg {
	FILE *f;
	const struct map *map;
	double height;			/* of a row */
	double graph_x, epoch_x, time_x, label_x, map_x, written_x;
	double width, map_bottom, page_height;
	uint64_t most;			/* written in one row */
};

/* Begins a text; the class says how it looks. */
static void begin_text(FILE *f, const char *class, double x, double y)
{
	fprintf(f, "<text class=\"%s\" x=\"%.6g\" y=\"%.6g\">", class, x, y);
}

static void end_text(FILE *f)
{
	fputs("</text>\n", f);
}

static void put_words(FILE *f, const char *class, double x, double y,
		      const char *words)
{
	begin_text(f, class, x, y);
	fputs(words, f);
	end_text(f);
}

static void put_rect(FILE *f, const char *attributes, double x, double y,
		     double width, double height)
{
	fprintf(f, "<rect %s x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\"/>\n",
		attributes, x, y, width, height);
}

static void put_rule(FILE *f, const char *class, double x, double y,
		     double to_x, double to_y)
{
	fprintf(f, "<path class=\"%s\" d=\"M%.6g %.6gL%.6g %.6g\"/>\n",
		class, x, y, to_x, to_y);
}

/* --- what a cell looks like ------------------------------------------------ */

enum look { LOOK_NOTHING, LOOK_ENTROPY, LOOK_ZERO, LOOK_UNKNOWN };

struct shade {
	enum look look;
	int amount, level;
};

static int step(const double *from, int nr, double value)
{
	int i = nr;

	while (--i > 0 && value < from[i])
		;
	return i;
}

static struct shade shade_of(const struct map *map,
			     const struct map_cell *cell)
{
	struct shade shade = { LOOK_NOTHING, 0, 0 };

	if (!cell->sectors)
		return shade;
	shade.amount = step(amounts, NR_AMOUNTS,
			    (double)cell->sectors / map->bucket_sectors);
	if (!cell->nr_samples) {
		shade.look = LOOK_UNKNOWN;
	} else if (cell->nr_zero == cell->nr_samples) {
		shade.look = LOOK_ZERO;
	} else {
		shade.look = LOOK_ENTROPY;
		/* Zeroes beside it say nothing about what was written. */
		shade.level = step(levels, NR_LEVELS, cell->bits /
				   (cell->nr_samples - cell->nr_zero));
	}
	return shade;
}

static void put_shade(FILE *f, struct shade shade, double x, double y,
		      double width, double height)
{
	const char *colour = shade.look == LOOK_ZERO ? greys[shade.amount] :
			     shade.look == LOOK_UNKNOWN ? "url(#hatch)" :
			     colours[shade.level][shade.amount];
	double top = shade.look == LOOK_ZERO ? height / 2 : 0;

	fprintf(f, "<path fill=\"%s\" d=\"M%.6g %.6gh%.6gv%.6gh-%.6gz\"/>\n",
		colour, x, y + top, width, height - top, width);
	if (shade.look == LOOK_ENTROPY && shade.level == NR_LEVELS - 1)
		put_rect(f, "fill=\"#1a1a1a\"", x, y + height - 2, width, 2);
}

static double x_of(const struct svg *svg, uint64_t sector)
{
	if (sector > svg->map->sectors)
		sector = svg->map->sectors;
	return svg->map_x +
	       (double)MAP_WIDTH * sector / (svg->map->sectors ?: 1);
}

static bool same_shade(struct shade a, struct shade b)
{
	return a.look == b.look && a.amount == b.amount && a.level == b.level;
}

/* Neighbours that look the same are one piece. */
static void put_cells(const struct svg *svg, const struct map_row *row,
		      double y)
{
	const struct map *map = svg->map;
	struct shade shade, next;
	size_t i, end;
	double x;

	for (i = 0; row->cells && i < map->nr_buckets; i = end) {
		shade = shade_of(map, &row->cells[i]);
		for (end = i + 1; end < map->nr_buckets; end++) {
			next = shade_of(map, &row->cells[end]);
			if (!same_shade(shade, next))
				break;
		}
		if (shade.look == LOOK_NOTHING)
			continue;
		x = x_of(svg, i * map->bucket_sectors);
		put_shade(svg->f, shade, x, y + 1,
			  x_of(svg, end * map->bucket_sectors) - x,
			  svg->height - 2);
	}
}

/* --- words ----------------------------------------------------------------- */

static void put_time(FILE *f, uint64_t when, const char *format)
{
	char text[64] = "-";
	time_t time = when;
	struct tm tm;

	if (localtime_r(&time, &tm))
		strftime(text, sizeof(text), format, &tm);
	fputs(text, f);
}

static bool same_day(const struct epoch *a, const struct epoch *b)
{
	time_t x = a->time, y = b->time;
	struct tm p, q;

	return a->has_time && b->has_time && localtime_r(&x, &p) &&
	       localtime_r(&y, &q) && p.tm_year == q.tm_year &&
	       p.tm_yday == q.tm_yday;
}

/* 2350 -> "2,350" */
static const char *with_commas(uint64_t number, char *buf, size_t size)
{
	char digits[32];
	size_t n, i, out = 0;

	n = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	for (i = 0; i < n && out + 2 < size; i++) {
		if (i && (n - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
	return buf;
}

static void put_size(FILE *f, uint64_t sectors)
{
	char text[32];

	fputs(out_size(sectors << SECTOR_SHIFT, text, sizeof(text)), f);
}

static void put_epochs(FILE *f, const struct map_row *row)
{
	if (row->nr_epochs == 1)
		fprintf(f, "%u", row->last->id);
	else
		fprintf(f, "%u–%u", row->first->id, row->last->id);
}

/* What happened to the epoch, beside its label */
static void put_mark(FILE *f, const struct map_row *row)
{
	const struct epoch *e = row->first;

	if (epoch_is(row->last->state, DR_STATE_HEAD))
		fputs("head ", f);
	if (!row->seen)
		fputs("dropped ", f);
	if (epoch_is(e->how, DR_HOW_ROLLBACK))
		fprintf(f, "rollback to %u ", e->parent);
	else if (epoch_is(e->how, DR_HOW_REPLAY))
		fputs("replay ", f);
	else if (run_made(e) && row->labelled != e)
		fputs("files recovered ", f);
	else if (e->id == DR_BASE_EPOCH)
		fputs("origin ", f);
	if (row->nr_epochs > 1)
		fprintf(f, "%zu epochs", row->nr_epochs);
}

/* The figures of a row, for who points at it or reads it aloud */
static void put_row_title(FILE *f, const struct map *map,
			  const struct map_row *row)
{
	const struct epoch *e = row->last;

	fputs("<title>", f);
	fputs(row->nr_epochs == 1 ? "epoch " : "epochs ", f);
	put_epochs(f, row);
	if (row->labelled) {
		fputs(", label ", f);
		text_put(f, row->labelled->label);
	}
	if (e->has_time) {
		fputs(", sealed ", f);
		put_time(f, e->time, "%F %T");
	}
	if (e->consistency[0]) {
		fputs(", ", f);
		text_put(f, e->consistency);
	}
	if (run_made(row->first))
		fputs(", files recovered", f);
	fputs(". ", f);
	put_size(f, row->written_sectors);
	fputs(" written", f);
	if (!row->seen)
		fputs("; dropped, cannot be looked at", f);
	if (row->cells) {
		fputs("; ", f);
		put_size(f, row->differs_sectors);
		fprintf(f, " differ from epoch %u, in %zu ranges",
			row->base->id, row->nr_ranges);
	}
	if (row->nr_samples)
		fprintf(f, "; entropy %.2f bits/byte on average of %zu blocks",
			map_row_bits(map, row), row->nr_samples);
	fputs("</title>\n", f);
}

static void put_row_words(const struct svg *svg, size_t i, double y)
{
	const struct map_row *row = &svg->map->rows[i];
	const struct epoch *e = row->last;
	double base = y + svg->height / 2 + 4, bar;
	FILE *f = svg->f;

	begin_text(f, row->seen ? "n" : "n dim",
		   svg->epoch_x + EPOCH_WIDTH - 18, base);
	put_epochs(f, row);
	end_text(f);
	if (e->has_time) {
		begin_text(f, "n dim", svg->time_x + TIME_WIDTH - 18, base);
		put_time(f, e->time, i && same_day(e, svg->map->rows[i - 1].last)
			 ? "%T" : "%F %T");
		end_text(f);
	}
	begin_text(f, "", svg->label_x, base);
	if (row->labelled) {
		fputs("<tspan class=\"label\">", f);
		text_put_cut(f, row->labelled->label, LABEL_LETTERS);
		fputs("</tspan> ", f);
	}
	if (row->nr_labels > 1)
		fprintf(f, "+%zu ", row->nr_labels - 1);
	fputs("<tspan class=\"dim\">", f);
	put_mark(f, row);
	fputs("</tspan></text>\n", f);
	if (!row->written_sectors)
		return;
	begin_text(f, "n", svg->written_x + WRITTEN_WIDTH - BAR_WIDTH - 8,
		   base);
	put_size(f, row->written_sectors);
	end_text(f);
	bar = fmax(1, (double)BAR_WIDTH * row->written_sectors / svg->most);
	put_rect(f, "class=\"bar\"", svg->written_x + WRITTEN_WIDTH - BAR_WIDTH,
		 y + svg->height / 4, bar, svg->height / 2);
}

/* --- the graph ------------------------------------------------------------- */

static double lane_x(const struct svg *svg, size_t lane)
{
	if (lane >= MAX_LANES)
		lane = MAX_LANES - 1;
	return svg->graph_x + LANE_WIDTH * (lane + 0.5);
}

static double row_y(const struct svg *svg, size_t i)
{
	return MAP_TOP + svg->height * (i + 0.5);
}

/* Down the own lane, and over to the parent's in the last step */
static void put_edge(const struct svg *svg, size_t i)
{
	const struct map_row *row = &svg->map->rows[i];
	double x = lane_x(svg, row->lane), y = row_y(svg, i), to_x, to_y;

	if (!row->parent && !row->first->has_parent)
		return;
	fprintf(svg->f, "<path class=\"edge%s\" d=\"M%.6g %.6gV",
		row->parent ? "" : " away", x, y);
	if (!row->parent) {	/* goes on outside */
		fprintf(svg->f, "%.6g\"/>\n", svg->map_bottom);
		return;
	}
	to_x = lane_x(svg, row->parent->lane);
	to_y = row_y(svg, row->parent - svg->map->rows);
	if (x == to_x)
		fprintf(svg->f, "%.6g\"/>\n", to_y);
	else
		fprintf(svg->f, "%.6gC%.6g %.6g %.6g %.6g %.6g %.6g\"/>\n",
			to_y - svg->height, x, to_y - svg->height / 3, to_x,
			to_y - svg->height * 2 / 3, to_x, to_y);
}

enum node { NODE_PLAIN, NODE_RUN, NODE_HEAD, NODE_BASE, NODE_DROPPED,
	    NODE_ROLLBACK, NODE_REPLAY, NODE_FILES, NR_NODES };

static const char *const node_words[NR_NODES] = {
	"checkpoint", "run of epochs", "head", "base", "dropped", "rollback",
	"replay", "recovery of files",
};

static const char *const node_paths[NR_NODES] = {
	[NODE_PLAIN] = "<circle r=\"3.5\" class=\"node\"/>",
	[NODE_RUN] = "<rect x=\"-3\" y=\"-5\" width=\"6\" height=\"10\" rx=\"3\" class=\"node\"/>",
	[NODE_HEAD] = "<circle r=\"4.5\" class=\"open\"/>",
	[NODE_BASE] = "<path d=\"M-5.5 0h11\" class=\"line\"/>",
	[NODE_DROPPED] = "<path d=\"M-3.5-3.5l7 7m0-7l-7 7\" class=\"line\"/>",
	[NODE_ROLLBACK] = "<path d=\"M-5.5 0l9-5v10z\" class=\"node\"/>",
	[NODE_REPLAY] = "<path d=\"M0-6l6 6-6 6-6-6z\" class=\"node\"/>",
	[NODE_FILES] = "<path d=\"M0-5.5l5.5 5.5-5.5 5.5-5.5-5.5z\" class=\"open\"/>",
};

static enum node node_of(const struct map_row *row)
{
	const struct epoch *e = row->first;	/* recoveries begin a row */

	if (!row->seen)
		return NODE_DROPPED;
	if (epoch_is(e->how, DR_HOW_ROLLBACK))
		return NODE_ROLLBACK;
	if (epoch_is(e->how, DR_HOW_REPLAY))
		return NODE_REPLAY;
	if (run_made(e))
		return NODE_FILES;
	if (epoch_is(e->state, DR_STATE_HEAD))
		return NODE_HEAD;
	if (e->id == DR_BASE_EPOCH && row->nr_epochs == 1)
		return NODE_BASE;
	return row->nr_epochs > 1 ? NODE_RUN : NODE_PLAIN;
}

static void put_node(const struct svg *svg, enum node node, double x, double y,
		     bool head)
{
	fprintf(svg->f, "<g transform=\"translate(%.6g %.6g)\">%s</g>\n", x, y,
		node_paths[node]);
	/* The head of a rollback or replay is both. */
	if (head && node != NODE_HEAD)
		fprintf(svg->f, "<circle class=\"ring\" cx=\"%.6g\" cy=\"%.6g\" r=\"7.5\"/>\n",
			x, y);
}

/* --- axes, legend, frame --------------------------------------------------- */

static uint64_t tick_sectors(const struct map *map)
{
	uint64_t tick = SAMPLE_SECTORS;

	while (map->sectors / tick > MAX_TICKS)
		tick *= 2;
	return tick;
}

static void put_tick(const struct svg *svg, uint64_t at)
{
	double x = x_of(svg, at);

	put_rule(svg->f, "grid", x, MAP_TOP - 5, x, svg->map_bottom);
	begin_text(svg->f, "small dim", x + 3, MAP_TOP - 4);
	put_size(svg->f, at);
	end_text(svg->f);
}

static void put_axis(const struct svg *svg)
{
	uint64_t tick = tick_sectors(svg->map), at;
	double y = MAP_TOP - 22;
	FILE *f = svg->f;

	put_rule(f, "grid", svg->map_x, MAP_TOP, svg->map_x + MAP_WIDTH, MAP_TOP);
	put_rule(f, "grid", svg->map_x, svg->map_bottom, svg->map_x + MAP_WIDTH,
		 svg->map_bottom);
	for (at = 0; at < svg->map->sectors; at += tick)
		put_tick(svg, at);
	put_tick(svg, svg->map->sectors);
	put_words(f, "n head", svg->epoch_x + EPOCH_WIDTH - 18, y, "epoch");
	put_words(f, "n head", svg->time_x + TIME_WIDTH - 18, y, "sealed");
	put_words(f, "head", svg->label_x, y, "label");
	put_words(f, "head", svg->map_x, y, "address on the device");
	put_words(f, "n head", svg->written_x + WRITTEN_WIDTH - BAR_WIDTH - 8,
		  y, "written");
}

static void put_colour_legend(const struct svg *svg)
{
	double x = svg->map_x, y = LEGEND_TOP;
	FILE *f = svg->f;
	int a, l;

	put_words(f, "head", x, y - 4, "share of the column written");
	for (a = 0; a < NR_AMOUNTS; a++)
		put_words(f, "small dim", x + a * 70, y + 12, amount_words[a]);
	put_words(f, "head", x + 292, y - 4,
		  "entropy of the new content, bits per byte");
	for (l = 0; l < NR_LEVELS; l++) {
		for (a = 0; a < NR_AMOUNTS; a++)
			put_shade(f, (struct shade){ LOOK_ENTROPY, a, l },
				  x + a * 70, y + 19 + l * 16, 62, 12);
		put_words(f, "small", x + 292, y + 29 + l * 16, level_words[l]);
	}
	put_shade(f, (struct shade){ LOOK_ZERO, 2, 0 }, x + 560, y + 19, 26, 12);
	put_shade(f, (struct shade){ LOOK_UNKNOWN, 0, 0 }, x + 560, y + 35, 26,
		  12);
	put_words(f, "small", x + 593, y + 29, "zeroes or discarded");
	put_words(f, "small", x + 593, y + 45, "not looked at");
}

static void put_node_legend(const struct svg *svg)
{
	double x, y;
	int i;

	for (i = 0; i < NR_NODES; i++) {
		x = svg->graph_x + 7 + i / 4 * 130;
		y = LEGEND_TOP + 25 + i % 4 * 16;
		put_node(svg, i, x, y, false);
		put_words(svg->f, "small", x + 14, y + 4, node_words[i]);
	}
	put_words(svg->f, "head", svg->graph_x, LEGEND_TOP - 4, "epochs");
}

static void put_heading(const struct svg *svg)
{
	const struct map *map = svg->map;
	char number[32];
	FILE *f = svg->f;

	begin_text(f, "title", MARGIN, 36);
	fputs("History of ", f);
	text_put(f, map->device);
	end_text(f);
	begin_text(f, "dim", MARGIN, 56);
	put_size(f, map->sectors);
	fprintf(f, ", %s %s", with_commas(map->nr_epochs, number, sizeof(number)),
		map->nr_epochs == 1 ? "epoch" : "epochs");
	if (map->run > 1)
		fprintf(f, " in %zu rows", map->nr);
	fputs("; each column of the map stands for ", f);
	put_size(f, map->bucket_sectors);
	if (map->time) {
		fputs("; drawn ", f);
		put_time(f, map->time, "%F %T %z");
	}
	end_text(f);
}

static void put_notes(const struct svg *svg)
{
	const struct map *map = svg->map;
	double y = svg->map_bottom + 24;
	FILE *f = svg->f;

	begin_text(f, "small dim", MARGIN, y);
	fputs("A row shows the blocks that its epoch left different.", f);
	if (map->run > 1) {
		fprintf(f, " A row of several epochs (up to %zu, with no",
			map->run);
		fputs(" branch or recovery among them) shows what differs", f);
		fputs(" between its ends; its size is the sum.", f);
	}
	end_text(f);
	begin_text(f, "small dim", MARGIN, y + 15);
	if (map->sampled) {
		fputs("Entropy is Shannon’s, of single bytes, in sampled", f);
		fprintf(f, " blocks of 4 KiB: up to %u of a column, %u of a",
			MAP_BUCKET_SAMPLES, MAP_ROW_SAMPLES);
		fputs(" row. It does not tell encryption from compression.", f);
	} else {
		fputs("No content was read: entropy is not shown.", f);
	}
	end_text(f);
	if (!map->command)
		return;
	begin_text(f, "small dim", MARGIN, y + 30);
	text_put(f, map->command);
	end_text(f);
}

static const char *const style[] = {
	"<style>",
	"text{font:12px/1 'DejaVu Sans','Liberation Sans',Arial,sans-serif;",
	"fill:#1a1a1a;font-variant-numeric:tabular-nums}",
	".n{text-anchor:end}.dim{fill:#5c5c5c}.small{font-size:11px}",
	".title{font-size:20px;font-weight:600}",
	".head{font-size:11px;font-weight:600;fill:#333}",
	".label{font-weight:600}",
	".grid{stroke:#d0d0d0;fill:none}.dash{stroke-dasharray:2 4}",
	".edge{stroke:#5c5c5c;stroke-width:1.5;fill:none}",
	".away{stroke-dasharray:2 3}.node{fill:#1a1a1a}",
	".open{fill:#fff;stroke:#1a1a1a;stroke-width:2.5}",
	".line{stroke:#1a1a1a;stroke-width:2.5;fill:none}",
	".ring{fill:none;stroke:#1a1a1a;stroke-width:1.5}",
	".bar{fill:#6b7785}.odd{fill:#f5f5f3}",
	"</style>",
	"<defs><pattern id=\"hatch\" width=\"4\" height=\"4\"",
	" patternUnits=\"userSpaceOnUse\"><path d=\"M0 4L4 0\"",
	" stroke=\"#555\" stroke-width=\"1.2\"/></pattern></defs>",
};

static void lay_out(struct svg *svg)
{
	const struct map *map = svg->map;
	size_t lanes = map->nr_lanes < MAX_LANES ? map->nr_lanes : MAX_LANES, i;

	svg->height = map->nr <= 60 ? 20 : 15;
	svg->graph_x = MARGIN;
	svg->epoch_x = svg->graph_x + LANE_WIDTH * (lanes ?: 1);
	svg->time_x = svg->epoch_x + EPOCH_WIDTH;
	svg->label_x = svg->time_x + TIME_WIDTH;
	svg->map_x = svg->label_x + LABEL_WIDTH;
	svg->written_x = svg->map_x + MAP_WIDTH;
	svg->width = svg->written_x + WRITTEN_WIDTH + MARGIN;
	svg->map_bottom = MAP_TOP + svg->height * map->nr;
	svg->page_height = svg->map_bottom + 74;
	svg->most = 1;
	for (i = 0; i < map->nr; i++)
		if (map->rows[i].written_sectors > svg->most)
			svg->most = map->rows[i].written_sectors;
}

/* Every other row has a ground, so that the eye keeps to its line. */
static void put_stripes(const struct svg *svg)
{
	size_t i;

	for (i = 1; i < svg->map->nr; i += 2)
		put_rect(svg->f, "class=\"odd\"", svg->epoch_x,
			 MAP_TOP + svg->height * i,
			 svg->width - MARGIN - svg->epoch_x, svg->height);
}

static void put_row(const struct svg *svg, size_t i)
{
	const struct map_row *row = &svg->map->rows[i];
	double y = MAP_TOP + svg->height * i;

	fputs("<g class=\"row\">", svg->f);
	put_row_title(svg->f, svg->map, row);
	/* Nothing to see, but it takes the pointer in the gaps. */
	put_rect(svg->f, "fill=\"none\" pointer-events=\"all\"", svg->epoch_x, y,
		 svg->width - MARGIN - svg->epoch_x, svg->height);
	put_row_words(svg, i, y);
	put_cells(svg, row, y);
	if (!row->seen)
		put_rule(svg->f, "grid dash", svg->map_x, y + svg->height / 2,
			 svg->map_x + MAP_WIDTH, y + svg->height / 2);
	fputs("</g>\n", svg->f);
}

void svg_map(FILE *f, const struct map *map)
{
	struct svg svg = { .f = f, .map = map };
	const struct map_row *row;
	size_t i;

	lay_out(&svg);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.6g\" height=\"%.6g\" viewBox=\"0 0 %.6g %.6g\">\n",
		svg.width, svg.page_height, svg.width, svg.page_height);
	fputs("<title>History of ", f);
	text_put(f, map->device);
	fputs("</title>\n", f);
	for (i = 0; i < ARRAY_SIZE(style); i++)
		fprintf(f, "%s\n", style[i]);
	put_rect(f, "fill=\"#fff\"", 0, 0, svg.width, svg.page_height);
	put_heading(&svg);
	put_node_legend(&svg);
	put_colour_legend(&svg);
	put_stripes(&svg);
	put_axis(&svg);
	for (i = 0; i < map->nr; i++)
		put_row(&svg, i);
	for (i = 0; i < map->nr; i++)
		put_edge(&svg, i);
	for (i = 0; i < map->nr; i++) {
		row = &map->rows[i];
		put_node(&svg, node_of(row), lane_x(&svg, row->lane),
			 row_y(&svg, i),
			 epoch_is(row->last->state, DR_STATE_HEAD));
	}
	put_notes(&svg);
	fputs("</svg>\n", f);
}
