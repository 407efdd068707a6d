// SPDX-License-Identifier: GPL-2.0
/*
 * graph.c - a tree drawn beside its nodes.
 */
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define FREE	UINT64_MAX

int graph_begin(struct graph *graph, uint32_t head)
{
	memset(graph, 0, sizeof(*graph));
	graph->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	graph->lanes = malloc(sizeof(*graph->lanes));
	if (!graph->lanes)
		return -ENOMEM;
	graph->lanes[0] = head;
	graph->nr = 1;
	return 0;
}

void graph_free(struct graph *graph)
{
	free(graph->lanes);
}

static bool is_line(const struct graph *graph, size_t lane)
{
	return graph->lanes[lane] != FREE && (lane || graph->lane0_begun);
}

static void trim(struct graph *graph)
{
	while (graph->nr > 1 && graph->lanes[graph->nr - 1] == FREE)
		graph->nr--;
}

/* Lines end where there is nothing more to see. */
static char *finish_line(FILE *f, char **line)
{
	size_t len;

	if (!f || fclose(f))
		return NULL;
	len = strlen(*line);
	while (len && (*line)[len - 1] == ' ')
		(*line)[--len] = '\0';
	return *line;
}

/* The lane @from bends into lane @to, crossing those between. */
static char *join_line(struct graph *graph, size_t to, size_t from)
{
	char *line = NULL;
	size_t lane, size;
	FILE *f = open_memstream(&line, &size);

	for (lane = 0; f && lane < graph->nr; lane++) {
		bool inside = lane > to && lane < from;
		bool runs = lane >= to && lane < from;
		bool bends = lane + 1 == from;

		if (lane == from)
			fputs(graph->utf8 ? "╯" : " ", f);
		else if (!is_line(graph, lane))
			fputs(!inside ? " " : graph->utf8 ? "─" : "_", f);
		else if (graph->utf8)
			fputs(lane == to ? "├" : inside ? "┼" : "│", f);
		else
			fputs("|", f);
		if (graph->utf8)
			fputs(runs ? "─" : " ", f);
		else
			fputs(!runs ? " " : bends ? "/" : "_", f);
	}
	return finish_line(f, &line);
}

bool graph_joins(struct graph *graph, uint32_t id, char **line)
{
	size_t to = 0, from;

	while (to < graph->nr && graph->lanes[to] != id)
		to++;
	for (from = graph->nr; from-- > to + 1;)
		if (graph->lanes[from] == id)
			break;
	if (to >= graph->nr || from <= to || graph->lanes[from] != id)
		return false;
	/* Lane 0 is there from here on, if it is the one that is met. */
	if (!to)
		graph->lane0_begun = true;
	*line = join_line(graph, to, from);
	graph->lanes[from] = FREE;
	trim(graph);
	return *line;
}

/* The lane that leads to @id, or a new one. Return: its index, or nr. */
static size_t find_lane(struct graph *graph, uint32_t id)
{
	uint64_t *more;
	size_t lane;

	for (lane = 0; lane < graph->nr; lane++)
		if (graph->lanes[lane] == id)
			return lane;
	for (lane = 1; lane < graph->nr; lane++)
		if (graph->lanes[lane] == FREE)
			return lane;
	more = realloc(graph->lanes, (graph->nr + 1) * sizeof(*more));
	if (!more)
		return graph->nr;
	graph->lanes = more;
	graph->lanes[graph->nr] = FREE;
	return graph->nr++;
}

int graph_take(struct graph *graph, uint32_t id, bool has_parent,
	       uint32_t parent, size_t *lane)
{
	size_t here = find_lane(graph, id), i;

	*lane = here;
	if (here == graph->nr)
		return -ENOMEM;
	for (i = here + 1; i < graph->nr; i++)
		if (graph->lanes[i] == id)
			graph->lanes[i] = FREE;
	graph->lanes[here] = has_parent ? parent : FREE;
	trim(graph);
	return 0;
}

char *graph_node(struct graph *graph, uint32_t id, bool has_parent,
		 uint32_t parent)
{
	size_t here = find_lane(graph, id), lane, size;
	char *line = NULL;
	FILE *f;

	if (here == graph->nr)
		return NULL;
	graph->lanes[here] = has_parent ? parent : FREE;
	if (!here)
		graph->lane0_begun = true;
	f = open_memstream(&line, &size);
	for (lane = 0; f && lane < graph->nr; lane++) {
		if (lane == here)
			fprintf(f, "%s ", graph->node ? graph->node : "*");
		else if (is_line(graph, lane))
			fputs(graph->utf8 ? "│ " : "| ", f);
		else
			fputs("  ", f);
	}
	trim(graph);
	return finish_line(f, &line);
}
