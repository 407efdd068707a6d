/* SPDX-License-Identifier: GPL-2.0 */
/*
 * graph.h - a tree drawn beside its nodes, children above their parents.
 *
 * Nodes come with descending numbers, so that a parent comes after all of
 * its children. Lane 0 is kept for the one line that leads to the head.
 */
#ifndef DR_GRAPH_H
#define DR_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph {
	uint64_t *lanes;	/* the node that each one leads down to */
	size_t nr;
	bool lane0_begun;
	bool utf8;
	const char *node;	/* how the next node is drawn; NULL: "*" */
};

/* @head: the node at the top of lane 0. Return: 0 or a negative errno. */
int graph_begin(struct graph *graph, uint32_t head);
void graph_free(struct graph *graph);

/**
 * graph_joins() - lanes that meet in @id, one line for each but the first
 * @line: an allocated line, to be printed above the node
 *
 * Return: true while there is a line; then ask again.
 */
bool graph_joins(struct graph *graph, uint32_t id, char **line);

/**
 * graph_take() - go on to the next node without drawing anything
 * @lane: the lane that it is in
 *
 * For pictures that draw lanes themselves: the lines that lead to a node meet
 * in its lane, and its own goes on from there to its parent. Takes the place
 * of graph_joins() and graph_node().
 * Return: 0 or a negative errno.
 */
int graph_take(struct graph *graph, uint32_t id, bool has_parent,
	       uint32_t parent, size_t *lane);

/* The line of the node itself, allocated, or NULL without memory. */
char *graph_node(struct graph *graph, uint32_t id, bool has_parent,
		 uint32_t parent);

#endif
