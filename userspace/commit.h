/* SPDX-License-Identifier: GPL-2.0 */
/*
 * commit.h - the past up to an epoch becomes the origin's content.
 *
 * Functions that return int return an exit code and have said why when it is
 * not DR_EXIT_OK.
 */
#ifndef DR_COMMIT_H
#define DR_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * May @name's origin be written? Not if other devices than it and its views
 * have it open. Changes nothing.
 */
int commit_check_origin(const char *name);

/* That, and would the target begin? @ended: if the open session had ended. */
int commit_try(const char *name, uint32_t epoch, bool ended);

/* Begin; what would have gone on anyway goes on. */
int commit_begin(const char *name, uint32_t epoch);

/*
 * Until it is done, with progress on a terminal. Can be interrupted: then it goes
 * on in the background. Ends with an error when the commit has to wait for
 * something that we do not know how to wait for (room, the origin).
 */
int commit_wait(const char *name, uint32_t epoch);

#endif
