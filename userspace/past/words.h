/* SPDX-License-Identifier: GPL-2.0 */
/*
 * words.h - what the kernel logged while we did something.
 *
 * mount(2) says EINVAL; why, a file system says in the kernel log alone.
 */
#ifndef DR_PAST_WORDS_H
#define DR_PAST_WORDS_H

struct kernel_words {
	int fd;			/* -1: the log cannot be read */
};

void kernel_words_begin(struct kernel_words *words);

/**
 * kernel_words_end() - the warnings and errors since kernel_words_begin()
 * that name @about, e.g. "dm-5"
 *
 * Return: an allocated string, "; " between the records, "" when there are
 * none.
 */
char *kernel_words_end(struct kernel_words *words, const char *about);

#endif
