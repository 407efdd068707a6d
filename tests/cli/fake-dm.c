// SPDX-License-Identifier: GPL-2.0
/*
 * fake-dm.c - in the place of userspace/dm.c: one device, "disk", that lives
 * in files, for tests of what the tool does without device-mapper.
 *
 * FAKE is a folder: "epochs" holds the lines of the epochs message, "state"
 * "suspended replay-epoch", "node" stands for the device, "log" collects what
 * was done, "note-<epoch>" holds the digits of a note, "seq" the sequence number
 * of the disk and how many events it has had.
 * FAKE_FAIL="<message> <errno>" fails a message that begins so, with a $ behind
 * it only the one that is all of it;
 * FAKE_SIGNAL="<message> <signal>" sends us a signal in it. FAKE_DEVNO is the
 * device number, FAKE_UUID what device-mapper knows it by,
 * FAKE_TABLE its two devices, FAKE_VIEW the table of an open view; ioctls of the block
 * layer and of freezing are only logged, FAKE_IOCTL="<name> <errno>" fails one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"
#include "names.h"
#include "past/layer.h"

#define MAX_EPOCHS	256
#define PAGE_EPOCHS	3
#define SECTORS		1000000

static char lines[MAX_EPOCHS][128];
static int nr_lines;
static int suspended, replay;
static unsigned int poll_nr;	/* events so far */

static const char *path(const char *name)
{
	static char buf[512];

	snprintf(buf, sizeof(buf), "%s/%s", getenv("FAKE"), name);
	return buf;
}

static FILE *open_to(const char *name, const char *mode)
{
	FILE *f = fopen(path(name), mode);

	if (!f)
		exit(99);	/* the test is over and took the folder away */
	return f;
}

static void note(const char *what)
{
	FILE *f = open_to("log", "a");

	fprintf(f, "%s\n", what);
	fclose(f);
}

static void load(void)
{
	FILE *f = fopen(path("epochs"), "r");

	nr_lines = 0;
	while (f && nr_lines < MAX_EPOCHS &&
	       fgets(lines[nr_lines], sizeof(lines[0]), f)) {
		lines[nr_lines][strcspn(lines[nr_lines], "\n")] = '\0';
		nr_lines++;
	}
	if (f)
		fclose(f);
	f = fopen(path("state"), "r");
	suspended = 0;
	replay = 0;
	if (f && fscanf(f, "%d %d", &suspended, &replay) != 2)
		exit(99);
	if (f)
		fclose(f);
}

/* Others may read just now: they get the old file or the new one. */
static void put_in_place(FILE *f, const char *from, const char *to)
{
	char source[512];

	fclose(f);
	snprintf(source, sizeof(source), "%s", path(from));
	if (rename(source, path(to)))
		exit(99);
}

static void save(void)
{
	char name[32];
	FILE *f;
	int i;

	snprintf(name, sizeof(name), "new-%d", getpid());
	f = open_to(name, "w");
	for (i = 0; i < nr_lines; i++)
		fprintf(f, "%s\n", lines[i]);
	put_in_place(f, name, "epochs");
	f = open_to(name, "w");
	fprintf(f, "%d %d\n", suspended, replay);
	put_in_place(f, name, "state");
}

static int last_id(void)
{
	return nr_lines ? atoi(lines[nr_lines - 1]) : 0;
}

/* Seal the head with @label; open @id on top of @parent. */
static int switch_head(const char *label, const char *consistency, int id,
		       int parent, const char *how, const char *prev)
{
	char rest[64], time[32], was_label[64];
	int i, head = 0, up, blocks, n;

	for (i = 0; i < nr_lines; i++) {
		n = 0;
		if (sscanf(lines[i], "%d %d head %31s %63s %d %n", &head, &up,
			   time, was_label, &blocks, &n) < 5 || !n)
			continue;
		snprintf(rest, sizeof(rest), "%s", lines[i] + n);
		rest[strlen(rest) - 1] = '\0';	/* the "-" of consistency */
		snprintf(lines[i], sizeof(lines[i]),
			 "%d %d sealed 1700000000 %s %d %s%s", head, up, label,
			 blocks, rest, consistency);
		break;
	}
	snprintf(lines[nr_lines++], sizeof(lines[0]),
		 "%d %d head - - 5 %s %s -", id, parent, how, prev);
	return head;
}

static int head_id(void)
{
	int i, id, parent;
	char state[16];

	for (i = 0; i < nr_lines; i++)
		if (sscanf(lines[i], "%d %d %15s", &id, &parent, state) == 3 &&
		    !strcmp(state, "head"))
			return id;
	return 0;
}

/* Digits of the note of an epoch, or "" */
static const char *note_of(int epoch)
{
	static char digits[1 << 16];
	char name[32];
	FILE *f;

	sprintf(name, "note-%d", epoch);
	f = fopen(path(name), "r");
	digits[0] = '\0';
	if (f && !fgets(digits, sizeof(digits), f))
		digits[0] = '\0';
	if (f)
		fclose(f);
	return digits;
}

/* "adding" collects what "end" gives its name to; the epoch is the ticket. */
static int note_message(const char *m, char *out)
{
	char name[32], to[512];
	int a, b, n = 0, bytes;
	const char *digits;
	FILE *f;

	if (sscanf(m, "begin %d %d", &a, &b) == 2) {
		if (a != replay && (a > last_id() || !a))
			return -ENOENT;
		fclose(fopen(path("adding"), "w"));
		sprintf(out, "%d", a);
	} else if (sscanf(m, "add %d %d %n", &a, &b, &n) == 2 && n) {
		f = fopen(path("adding"), "a");
		if (ftell(f) != 2 * b)
			exit(99);
		fputs(m + n, f);
		sprintf(out, "%ld", ftell(f) / 2);
		fclose(f);
	} else if (sscanf(m, "end %d", &a) == 1) {
		sprintf(name, "note-%d", a);
		snprintf(to, sizeof(to), "%s", path(name));
		sprintf(out, "%d", a);
		return rename(path("adding"), to) ? -errno : 0;
	} else if (sscanf(m, "get %d %d", &a, &b) == 2) {
		digits = note_of(a);
		bytes = strlen(digits) / 2;
		if (!bytes)
			return -ENODATA;
		/* Pages of 1000 bytes */
		if (bytes - b > 1000)
			sprintf(out, "%d %d %.2000s", b + 1000, bytes,
				digits + 2 * b);
		else
			sprintf(out, "- %d %s", bytes, digits + 2 * b);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int epochs_page(int cursor, char *out)
{
	char body[4096] = "", next[16] = "-", bytes[32];
	int i, nr = 0;

	for (i = 0; i < nr_lines; i++) {
		if (atoi(lines[i]) < cursor)
			continue;
		if (nr++ == PAGE_EPOCHS) {
			snprintf(next, sizeof(next), "%d", atoi(lines[i]));
			break;
		}
		strcat(strcat(body, "\n"), lines[i]);
		sprintf(bytes, " %zu", strlen(note_of(atoi(lines[i]))) / 2);
		if (strcmp(bytes, " 0"))
			strcat(body, bytes);
	}
	return sprintf(out, "%s%s", next, body);
}

static int replay_message(const char *m, char *out)
{
	char prev[16], word[32];
	int a, b, c, d, e, head;

	if (!strcmp(m, "begin")) {
		if (replay)
			return -EBUSY;
		replay = last_id() + 100;
		sprintf(out, "%d", replay);
	} else if (!strcmp(m, "abort")) {
		sprintf(out, "%d", replay);
		replay = 0;
	} else if (!strcmp(m, "commit")) {
		if (!suspended)
			return -EOPNOTSUPP;
		sprintf(prev, "%d", head_id());
		snprintf(lines[nr_lines++], sizeof(lines[0]),
			 "%d %s sealed 1700000000 - 3 replay - crash", replay,
			 prev);
		head = last_id() + 1;
		sprintf(out, "%d %d 3 1", replay, head);
		switch_head("-", "crash", head, replay, "replay", prev);
		replay = 0;
	} else if (sscanf(m, "rule %d %d %d %d %31s", &a, &b, &c, &d,
			  word) == 5) {
		if (d > last_id())
			return -ENOENT;
		sprintf(out, "1");
	} else if (sscanf(m, "count %d %d %d %d %31s %d", &a, &b, &c, &d, word,
			  &e) == 6) {
		/* Two pages, one block each */
		if (e == a && b > 8)
			sprintf(out, "%d 1 0 1", a + 8);
		else
			sprintf(out, "- 1 1 0");
	} else {
		return -EINVAL;
	}
	return 0;
}

/* The lines have no room for marks: only whether the target would take one. */
static int mark_message(int epoch, char *out)
{
	int i, id, parent;
	char state[16];

	for (i = 0; i < nr_lines; i++)
		if (sscanf(lines[i], "%d %d %15s", &id, &parent, state) == 3 &&
		    id == epoch && strcmp(state, DR_STATE_DROPPED)) {
			sprintf(out, "%d", epoch);
			return 0;
		}
	return -ENOENT;
}

static int message(const char *m, char *out)
{
	char label[64] = "-", frozen[16] = "crash", prev[16];
	int a, b, c, n;

	if (!strcmp(m, "checkpoint") || !strncmp(m, "checkpoint ", 11)) {
		n = sscanf(m, "checkpoint %63s %15s", label, frozen);
		sprintf(out, "%d", switch_head(n > 0 ? label : "-", frozen,
					       last_id() + 1, head_id(),
					       "checkpoint", "-"));
	} else if (sscanf(m, "rollback %d", &a) == 1) {
		if (!suspended)
			return -EOPNOTSUPP;
		if (a > last_id())
			return -ENOENT;
		sprintf(prev, "%d", head_id());
		n = last_id() + 1;
		switch_head("-", "crash", n, a, "rollback", prev);
		sprintf(out, "%d", n);
	} else if (!strncmp(m, "replay ", 7)) {
		return replay_message(m + 7, out);
	} else if (!strncmp(m, "note ", 5)) {
		return note_message(m + 5, out);
	} else if (sscanf(m, "diff %d %d %d", &a, &b, &c) == 3) {
		/* The second page goes on where the first one ends. */
		strcpy(out, c ? "- 24+8\n100+8" : "24 0+8 16+8");
	} else if (sscanf(m, "epochs %d", &a) == 1) {
		epochs_page(a, out);
	} else if (sscanf(m, "reads %d %d", &a, &b) == 2) {
		if (a != 2)
			return -ENODATA;
		strcpy(out, b ? "- 64+32 256+64" : "64 0+8 32+32");
	} else if (!strcmp(m, "policy get")) {
		strcpy(out, "-");
	} else if (sscanf(m, "commit %d", &a) == 1) {
		sprintf(out, "%d", a);
	} else if (sscanf(m, "mark %d", &a) == 1) {
		return mark_message(a, out);
	} else if (sscanf(m, "drop %d", &a) == 1 ||
		   sscanf(m, "start %d", &a) == 1) {
		sprintf(out, "%d", a);
	} else if (sscanf(m, "session %s", out) == 1) {
		return 0;
	} else if (!strcmp(m, "update begin")) {
		strcpy(out, getenv("FAKE_UPDATE") ?: DR_WORD_UPDATING);
	} else if (!strcmp(m, "update cancel")) {
		strcpy(out, DR_WORD_NONE);
	} else if (!strncmp(m, "update end", 10)) {
		strcpy(out, "4");
	} else {
		return -EINVAL;
	}
	return 0;
}

/* "<prefix> <number>" in the environment; "<all of it>$ <number>" */
static int asked(const char *variable, const char *text)
{
	const char *value = getenv(variable), *space;
	size_t len;

	space = value ? strrchr(value, ' ') : NULL;
	len = space ? space - value : 0;
	if (len && value[len - 1] == '$' && strlen(text) != --len)
		return 0;
	if (!space || strncmp(value, text, len))
		return 0;
	return atoi(space + 1);
}

int mapper_message(const char *name, char **reply, const char *format, ...)
{
	char text[1 << 16], out[8192] = "";
	va_list ap;
	int ret;

	*reply = NULL;
	if (strcmp(name, "disk"))
		return -ENXIO;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	load();
	note(text);
	if (asked("FAKE_SIGNAL", text))
		kill(getpid(), asked("FAKE_SIGNAL", text));
	ret = -asked("FAKE_FAIL", text);
	if (!ret)
		ret = message(text, out);
	save();
	if (!ret)
		*reply = strdup(out);
	return ret;
}

static bool is_view(const char *name)
{
	return getenv("FAKE_VIEW") && !strcmp(name, "look");
}

int mapper_info(const char *name, struct mapper_info *info)
{
	unsigned int major = 0, minor = 0;
	FILE *f;

	if (is_view(name)) {
		memset(info, 0, sizeof(*info));
		strcpy(info->uuid, LAYER_UUID_PREFIX LAYER_VIEW
		       "-11111111-2222-4333-8444-555555555555-look");
		return 0;
	}
	if (strcmp(name, "disk"))
		return -ENXIO;
	load();
	if (getenv("FAKE_DEVNO"))
		sscanf(getenv("FAKE_DEVNO"), "%u:%u", &major, &minor);
	memset(info, 0, sizeof(*info));
	info->devno = makedev(major, minor);
	info->suspended = suspended;
	info->event_nr = poll_nr;
	f = fopen(path("seq"), "r");
	if (f && fscanf(f, "%" SCNu64 " %" SCNu32, &info->disk_seq,
			&info->event_nr) != 2)
		exit(99);
	if (f)
		fclose(f);
	info->live = true;
	snprintf(info->uuid, sizeof(info->uuid), "%s", getenv("FAKE_UUID") ?:
		 DR_TARGET_NAME "-11111111-2222-4333-8444-555555555555");
	return 0;
}

int mapper_status(const char *name, char *type, uint64_t *sectors,
		  char **params)
{
	char text[256], open[32] = "-";

	if (strcmp(name, "disk"))
		return -ENXIO;
	load();
	strcpy(type, getenv("FAKE_TYPE") ?: DR_TARGET_NAME);
	*sectors = SECTORS;
	if (replay)
		sprintf(open, "%d,1,2/2", replay);
	sprintf(text, "rw %d 1 100/1000 50 60 ok 8 %d 5 1/64 0 2/16 - %s 9 0/0 - -",
		head_id(), nr_lines, open);
	*params = strdup(getenv("FAKE_STATUS") ?: text);
	return 0;
}

int mapper_list(int (*each)(const char *name, void *arg), void *arg)
{
	int ret = each("disk", arg);

	return !ret && getenv("FAKE_VIEW") ? each("look", arg) : ret;
}

int mapper_table(const char *name,
		 int (*each)(uint64_t start, uint64_t sectors,
			     const char *type, const char *params, void *arg),
		 void *arg)
{
	if (is_view(name))
		return each(0, SECTORS, DR_VIEW_TARGET_NAME,
			    getenv("FAKE_VIEW"), arg);
	if (strcmp(name, "disk"))
		return -ENXIO;
	return each(0, SECTORS, getenv("FAKE_TYPE") ?: DR_TARGET_NAME,
		    getenv("FAKE_TABLE") ?: "7:0 7:1", arg);
}

int mapper_name_of(dev_t devno, char *name, size_t size)
{
	(void)devno, (void)name, (void)size;
	return -ENXIO;
}

int mapper_build(const struct mapper_spec *spec, enum mapper_step *step)
{
	char text[512];

	snprintf(text, sizeof(text), "build %s %s %s%s%s", spec->name,
		 spec->targets->type, spec->targets->params,
		 spec->read_only ? " ro" : "", spec->hidden ? " hidden" : "");
	note(text);
	*step = MAPPER_LOAD;
	return -asked("FAKE_FAIL", "build");
}

int mapper_remove_deferred(const char *name)
{
	(void)name;
	note("remove deferred");
	return 0;
}

int mapper_create(const char *name, const char *uuid, uint64_t sectors,
		  const char *target, const char *params,
		  enum mapper_step *step)
{
	(void)name, (void)uuid, (void)sectors, (void)target, (void)params;
	*step = MAPPER_CREATE;
	return -ENOTSUP;
}

int mapper_remove(const char *name)
{
	(void)name;
	note("remove");
	return -asked("FAKE_FAIL", "remove");
}

/* "VmLck: <n> kB" of a process, as "locked" has a line for each */
static void note_locked(FILE *to, int pid)
{
	char name[64], line[128];
	FILE *f;

	sprintf(name, "/proc/%d/status", pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmLck:", 6))
			fputs(line, to);
	if (f)
		fclose(f);
}

/* How much memory we and our children, the guard, keep from being paged out */
static void note_all_locked(void)
{
	FILE *to = open_to("locked", "w"), *f;
	char name[64];
	int pid;

	note_locked(to, getpid());
	sprintf(name, "/proc/self/task/%d/children", getpid());
	f = fopen(name, "r");
	while (f && fscanf(f, "%d", &pid) == 1)
		note_locked(to, pid);
	if (f)
		fclose(f);
	fclose(to);
}

int mapper_suspend(const char *name)
{
	(void)name;
	load();
	note("suspend");
	note_all_locked();
	if (asked("FAKE_FAIL", "suspend"))
		return -asked("FAKE_FAIL", "suspend");
	suspended = 1;
	save();
	return 0;
}

int mapper_suspend_quietly(const char *name)
{
	int ret = mapper_suspend(name);

	note("... quietly");
	return ret;
}

/* FAKE_POLL is a FIFO: a byte for each event */
int mapper_poll_open(void)
{
	int fd = open(getenv("FAKE_POLL") ?: path("none"),
		      O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int mapper_poll_arm(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1)
		poll_nr++;
	return -asked("FAKE_FAIL", "arm");
}

int mapper_resume(const char *name)
{
	(void)name;
	load();
	note("resume");
	suspended = 0;
	save();
	return 0;
}

const char *mapper_node(const char *name, char *buf, size_t size)
{
	(void)name;
	snprintf(buf, size, "%s", path("node"));
	return buf;
}

int mapper_versions(const char *target, char *library, char *driver,
		    char *module, size_t size)
{
	(void)target;
	snprintf(library, size, "fake");
	snprintf(driver, size, "fake");
	snprintf(module, size, "1.0.0");
	return 0;
}

/* In the place of the C library's, for the whole program */
int ioctl(int fd, unsigned long request, ...)
{
	const char *name = request == BLKFLSBUF ? "BLKFLSBUF" :
			   request == FIFREEZE ? "FIFREEZE" :
			   request == FITHAW ? "FITHAW" : "ioctl";

	(void)fd;
	note(name);
	errno = asked("FAKE_IOCTL", name);
	return errno ? -1 : 0;
}
