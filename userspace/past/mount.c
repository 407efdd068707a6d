// SPDX-License-Identifier: GPL-2.0
/*
 * mount.c - file systems of an epoch, mounted.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <libmount.h>

#include "cli.h"
#include "past/btrfs.h"
#include "past/mount.h"
#include "past/words.h"

#define RUN_DIR		"/run/dmdelta"
#define OWN_DIR		RUN_DIR "/past"

/* --- a name space of our own ---------------------------------------------------- */

static int make_name_space(void)
{
	const char *doing = "mount name space";

	if (unshare(CLONE_NEWNS))
		return fail(DR_EXIT_OPERATIONAL, doing, "run it as root", "%s",
			    strerror(errno));
	/* Slave: what others unmount goes away here, too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return fail_errno(doing, "make slave", -errno);
	mkdir(RUN_DIR, 0700);
	if ((mkdir(OWN_DIR, 0700) && errno != EEXIST) ||
	    mount("dmdelta", OWN_DIR, "tmpfs",
		  MS_NODEV | MS_NOSUID | MS_NOEXEC,
		  "mode=0700,size=1m"))
		return fail_errno(OWN_DIR, "tmpfs", -errno);
	return DR_EXIT_OK;
}

int own_name_space(char *dir)
{
	static bool done;
	static unsigned int nr;
	int code = done ? DR_EXIT_OK : make_name_space();

	if (code)
		return code;
	done = true;
	snprintf(dir, PATH_MAX, OWN_DIR "/%u", nr++);
	return mkdir(dir, 0700) ? fail_errno(dir, "mkdir", -errno) :
	       DR_EXIT_OK;
}

/* --- mounts ------------------------------------------------------------------------ */

/* What a type must be told in any case */
static const char *options_of(const char *type)
{
	if (!strcmp(type, "xfs"))
		return "nouuid";
	if (!strcmp(type, "btrfs"))
		return "subvolid=5";
	/* A superblock of the past could ask for a panic. */
	if (!strncmp(type, "ext", 3) && strlen(type) == 4)
		return "errors=remount-ro";
	return "";
}

int mount_volume(const char *node, dev_t devno, const char *type,
		 const char *dir, unsigned long flags, const char *data,
		 char **why)
{
	const char *own = options_of(type);
	char about[32], *all, *said;
	struct kernel_words words;
	int ret;

	*why = NULL;
	/* Half an option may be another one. */
	if (asprintf(&all, "%s%s%s", own, *own && *data ? "," : "", data) < 0)
		return -ENOMEM;
	snprintf(about, sizeof(about), "dm-%u", minor(devno));
	kernel_words_begin(&words);
	ret = mount(node, dir, type, flags, all) ? -errno : 0;
	free(all);
	said = kernel_words_end(&words, about);
	if (ret == -ENODEV && asprintf(why, "the kernel does not know %s",
				       type) < 0)
		*why = NULL;
	else if (ret && ret != -ENODEV &&
		 asprintf(why, "%s: %s%s%s", type, strerror(-ret),
			  said && *said ? ": " : "", said ? said : "") < 0)
		*why = NULL;
	free(said);
	return ret;
}

/* For our own eyes: nothing in it is to be run, or to act, as it did then. */
static struct past_options own_options(unsigned int flags)
{
	return (struct past_options){
		.flags = MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME |
			 (flags & PAST_WRITABLE ? 0 : MS_RDONLY),
	};
}

/* What changes an existing mount, or needs more than one call, is no option. */
#define OPTION_FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | \
			 MS_SYNCHRONOUS | MS_DIRSYNC | MS_NOATIME | \
			 MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME | \
			 MS_LAZYTIME | MS_SILENT | MS_NOSYMFOLLOW)

int past_options_parse(const char *word, bool writable, struct past_options *o)
{
	const struct libmnt_optmap *map =
		mnt_get_builtin_optmap(MNT_LINUX_MAP);
	char *user = NULL, *vfs = NULL;
	int code = DR_EXIT_OK;

	o->flags = MS_NODEV | MS_NOSUID | MS_NOATIME |
		   (writable ? 0 : MS_RDONLY);
	o->data = NULL;
	if (!word)
		return DR_EXIT_OK;
	if (mnt_split_optstr(word, &user, &vfs, &o->data, 0, 0) ||
	    mnt_optstr_get_flags(word, &o->flags, map))
		code = fail_usage(word, "not understood");
	else if (user && *user)
		code = fail_usage(user, "no option of this mount");
	else if (o->flags & ~(unsigned long)OPTION_FLAGS)
		code = fail_usage(word, "only options of a new mount");
	else if (writable && o->flags & MS_RDONLY)
		code = fail_usage(word, "--writable wants rw");
	free(user);
	free(vfs);
	return code;
}

/* Where @pv cannot be used, it says why. Return: exit code. */
static int make_node(struct past *p, struct past_volume *pv)
{
	const struct inside_volume *vol = pv->vol;
	char why[160];
	int code, ret;

	if (vol->why) {
		pv->why = strdup(vol->why);
		return DR_EXIT_OK;
	}
	if (strcmp(vol->what, INSIDE_DEVICE)) {
		code = inside_layer(p->scratch.node, vol, false, &pv->layer);
		if (code)
			return code;
		pv->node = strdup(pv->layer.node);
	} else {
		pv->node = strdup(p->scratch.node);
	}
	if (!pv->node)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (strcmp(vol->type, "btrfs"))
		return DR_EXIT_OK;
	ret = btrfs_new_identity(pv->node, why, sizeof(why));
	if (ret)
		pv->error = -ret;
	if (ret && asprintf(&pv->why, "btrfs: %s", why[0] ? why :
			    strerror(-ret)) < 0)
		pv->why = NULL;
	return DR_EXIT_OK;
}

static dev_t devno_of(const struct past *p, const struct past_volume *pv)
{
	return pv->layer.fd >= 0 ? pv->layer.devno : p->scratch.layer.devno;
}

static int try_mount(struct past *p, struct past_volume *pv, const char *dir,
		     const struct past_options *o)
{
	int ret;

	if (pv->why)
		return -(pv->error ? pv->error : EINVAL);
	if (!inside_mountable(pv->vol)) {
		pv->why = strdup(pv->vol->type[0] ? "not a file system" :
				 "nothing that is known");
		return -EINVAL;
	}
	ret = mount_volume(pv->node, devno_of(p, pv), pv->vol->type, dir,
			   o->flags, o->data ? o->data : "", &pv->why);
	pv->error = -ret;
	return ret;
}

/* For our own eyes */
static int mount_all(struct past *p, unsigned int flags)
{
	const struct past_options o = own_options(flags);
	char dir[PATH_MAX];
	size_t i;
	int code;

	for (i = 0; i < p->nr; i++) {
		if (cancelled())
			return fail_cancelled(p->vol[i].vol->what);
		code = own_name_space(dir);
		if (code)
			return code;
		if (try_mount(p, &p->vol[i], dir, &o))
			continue;
		p->vol[i].dir = strdup(dir);
		if (!p->vol[i].dir)
			return fail(DR_EXIT_OPERATIONAL, "memory", NULL,
				    "none left");
	}
	return DR_EXIT_OK;
}

int past_mount(struct past *p, size_t nr, const char *thing, const char *dir,
	       const struct past_options *o)
{
	struct past_volume *pv = &p->vol[nr];
	int code;

	if (!try_mount(p, pv, dir, o))
		return DR_EXIT_OK;
	code = scratch_check(&p->scratch, thing);
	if (code)
		return code;
	return fail(DR_EXIT_OPERATIONAL, thing,
		    "'dmdelta view' shows the device itself",
		    "%s cannot be mounted: %s", pv->vol->what,
		    pv->why ? pv->why : strerror(pv->error));
}

int past_mount_own(struct past *p, size_t nr, const char *thing,
		   unsigned int flags)
{
	const struct past_options o = own_options(flags);
	char dir[PATH_MAX];
	int code = own_name_space(dir);

	if (!code)
		code = past_mount(p, nr, thing, dir, &o);
	if (code)
		return code;
	p->vol[nr].dir = strdup(dir);
	if (p->vol[nr].dir)
		return DR_EXIT_OK;
	umount2(dir, MNT_DETACH);
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

/* --- an epoch ------------------------------------------------------------------------ */

static int open_volumes(struct past *p, unsigned int flags)
{
	size_t i;
	int code = inside_probe(p->scratch.node, &p->inside);

	if (code)
		return code;
	p->vol = calloc(p->inside.nr, sizeof(*p->vol));
	if (!p->vol)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	p->nr = p->inside.nr;
	for (i = 0; i < p->nr; i++) {
		p->vol[i].vol = &p->inside.vol[i];
		p->vol[i].layer.fd = -1;
	}
	for (i = 0; i < p->nr && !code; i++)
		code = make_node(p, &p->vol[i]);
	if (!code && !(flags & PAST_NO_MOUNT))
		code = mount_all(p, flags);
	return code;
}

int past_open(const char *device, uint32_t epoch, const struct view_rule *rules,
	      size_t nr, unsigned int flags, struct past *p)
{
	char thing[DM_NAME_MAX + 16];
	const char *where;
	int code;

	memset(p, 0, sizeof(*p));
	p->scratch.layer.fd = -1;
	p->view.layer.fd = -1;
	code = scratch_place(device, &where);
	if (!code)
		code = view_open(device, epoch, rules, nr, NULL, &p->view);
	if (!code)
		code = scratch_open(p->view.node, where, &p->scratch);
	if (!code)
		code = open_volumes(p, flags);
	/* Replaying a journal into too small a layer: that is the reason */
	if (!code && !(flags & PAST_NO_MOUNT)) {
		snprintf(thing, sizeof(thing), "%s@%u", device, epoch);
		code = scratch_check(&p->scratch, thing);
	}
	if (code)
		past_close(p);
	return code;
}

static void free_volumes(struct past *p)
{
	size_t i;

	for (i = 0; i < p->nr; i++) {
		free(p->vol[i].node);
		free(p->vol[i].dir);
		free(p->vol[i].why);
	}
	free(p->vol);
	p->vol = NULL;
	p->nr = 0;
	inside_free(&p->inside);
}

int past_close(struct past *p)
{
	size_t i = p->nr;

	while (i--) {
		struct past_volume *pv = &p->vol[i];

		/* A child may still stand in it: it goes when that ends. */
		if (pv->dir && !umount2(pv->dir, 0))
			rmdir(pv->dir);
		else if (pv->dir)
			umount2(pv->dir, MNT_DETACH);
		layer_close(&pv->layer);
	}
	free_volumes(p);
	scratch_close(&p->scratch);
	return view_close(&p->view);
}

void past_release(struct past *p)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		layer_release(&p->vol[i].layer);
	free_volumes(p);
	layer_release(&p->scratch.layer);
	layer_release(&p->view.layer);
}
