# SPDX-License-Identifier: GPL-2.0
"""Every case of the three-way merge by hand."""
import os
import shutil
import subprocess
import time

from files_lib import (D, F, L, MTIME, Node, TMP, TREES, apart, build, case,
                       differences, ino, merge, mtime_is, one_file, result,
                       snapshot)

GOOD, BAD, NEW = F(b"good\n"), F(b"spoilt\n"), F(b"new work\n")
CAP = b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
# user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r--
ACL = b"".join(n.to_bytes(w, "little") for n, w in (
    (2, 4), (1, 2), (6, 2), (2**32 - 1, 4), (2, 2), (6, 2), (1000, 4),
    (4, 2), (4, 2), (2**32 - 1, 4), (16, 2), (6, 2), (2**32 - 1, 4),
    (32, 2), (4, 2), (2**32 - 1, 4)))


def table():
    """The table of the design, a row each"""
    case("spoilt: restored", {b"f": GOOD}, {b"f": BAD}, {b"f": BAD},
         {b"f": GOOD}, {"/f": "restore"}, check=mtime_is(b"f", MTIME))
    case("deleted: brought back", {b"f": GOOD}, {}, {}, {b"f": GOOD},
         {"/f": "bring back"}, check=mtime_is(b"f", MTIME))
    case("created: to quarantine", {}, {b"f": BAD}, {b"f": BAD}, {},
         {"/f": "quarantine"}, quarantined={b"f": BAD})
    case("attributes only", {b"f": GOOD}, {b"f": GOOD.but(mode=0o4755)},
         {b"f": GOOD.but(mode=0o4755)}, {b"f": GOOD}, {"/f": "attributes"})
    case("spoilt, then written: kept", {b"f": GOOD}, {b"f": BAD},
         {b"f": NEW}, {b"f": NEW}, {"/f": "mixed"})
    case("spoilt, then removed: stays away", {b"f": GOOD}, {b"f": BAD}, {},
         {}, {"/f": "mixed"})
    case("created, then written: kept", {}, {b"f": BAD}, {b"f": NEW},
         {b"f": NEW}, {"/f": "mixed"})
    case("deleted, then made again: kept", {b"f": GOOD}, {}, {b"f": NEW},
         {b"f": NEW}, {"/f": "mixed"})
    case("spoilt, then repaired: done", {b"f": GOOD}, {b"f": BAD},
         {b"f": GOOD}, {b"f": GOOD}, {"/f": "done"})
    case("created, then removed: done", {}, {b"f": BAD}, {}, {},
         {"/f": "done"})
    case("the same in base and bad: none of our business", {b"f": GOOD},
         {b"f": GOOD}, {b"f": NEW}, {b"f": NEW}, {})
    case("good work elsewhere is not seen", {b"f": GOOD}, {b"f": BAD},
         {b"f": BAD, b"g": NEW, b"h": D, b"h/i": NEW},
         {b"f": GOOD, b"g": NEW, b"h": D, b"h/i": NEW}, {"/f": "restore"})
    case("the root's own mode", {}, {}, {}, {}, {})


def attributes():
    x = {"user.a": b"1", "security.capability": CAP}.items()
    full = GOOD.but(mode=0o2750, uid=1000, gid=1001, xattrs=x)
    case("owner, mode, xattrs with content", {b"f": full}, {b"f": BAD},
         {b"f": BAD}, {b"f": full}, {"/f": "restore"})
    case("owner alone; set-group-id and capability survive", {b"f": full},
         {b"f": full.but(uid=0)}, {b"f": full.but(uid=0)}, {b"f": full},
         {"/f": "attributes"})
    case("xattr added by the damage", {b"f": GOOD},
         {b"f": GOOD.but(xattrs={"user.e": b"1"}.items())},
         {b"f": GOOD.but(xattrs={"user.e": b"1"}.items())}, {b"f": GOOD},
         {"/f": "attributes"})
    case("xattr removed by the damage", {b"f": full}, {b"f": full.but(
        xattrs=())}, {b"f": full.but(xattrs=())}, {b"f": full})
    acl = GOOD.but(mode=0o664, xattrs={"system.posix_acl_access":
                                       ACL}.items())
    case("access control list", {b"f": acl}, {b"f": BAD}, {b"f": BAD},
         {b"f": acl})
    case("access control list alone", {b"f": acl}, {b"f": GOOD},
         {b"f": GOOD}, {b"f": acl}, {"/f": "attributes"})
    d = Node("d", mode=0o1770, uid=5, xattrs={
        "system.posix_acl_default": ACL}.items())
    case("directory deleted, with its default ACL",
         {b"d": d, b"d/f": GOOD}, {}, {}, {b"d": d, b"d/f": GOOD},
         {"/d": "bring back", "/d/f": "bring back"},
         check=mtime_is(b"d", MTIME))
    case("mode spoilt, content written later: both are right",
         {b"f": GOOD}, {b"f": GOOD.but(mode=0o777)},
         {b"f": NEW.but(mode=0o777)}, {b"f": NEW}, {"/f": "attributes"})
    case("mode spoilt, other mode later: kept", {b"f": GOOD},
         {b"f": GOOD.but(mode=0o777)}, {b"f": GOOD.but(mode=0o600)},
         {b"f": GOOD.but(mode=0o600)}, {"/f": "mixed"})
    case("content spoilt, other mode later: kept", {b"f": GOOD}, {b"f": BAD},
         {b"f": BAD.but(mode=0o600)}, {b"f": BAD.but(mode=0o600)},
         {"/f": "mixed"})
    # What came after the damage is good, whatever it is about
    x = {"user.a": b"1"}.items()
    for what, by in (("owner", {"uid": 7}), ("group", {"gid": 7}),
                     ("xattr", {"xattrs": x}), ("ACL", {
                         "mode": 0o664, "xattrs": {
                             "system.posix_acl_access": ACL}.items()})):
        for kind, base, bad in (("content spoilt", {b"f": GOOD},
                                 {b"f": BAD}),
                                ("made by the damage", {}, {b"f": BAD}),
                                ("another type", {b"f": GOOD},
                                 {b"f": D})):
            now = {b"f": bad[b"f"].but(**by)}
            case(f"{kind}, other {what} later: kept", base, bad, now, now,
                 {"/f": "mixed"})
        case(f"of a directory that the damage made, other {what} later: kept",
             {}, {b"d": D, b"d/f": BAD}, {b"d": D.but(**by), b"d/f": BAD},
             {b"d": D.but(**by)}, {"/d": "mixed", "/d/f": "quarantine"})
        case(f"{what} alone spoilt, of a directory", {b"d": D, b"d/f": NEW},
             {b"d": D.but(**by), b"d/f": NEW},
             {b"d": D.but(**by), b"d/f": NEW}, {b"d": D, b"d/f": NEW},
             {"/d": "attributes"})
    case("owner alone spoilt, of a link", {b"l": L(b"x")},
         {b"l": L(b"x").but(uid=7)}, {b"l": L(b"x").but(uid=7)},
         {b"l": L(b"x")}, {"/l": "attributes"})
    case("mode spoilt, owner and xattr later: all are right", {b"f": GOOD},
         {b"f": GOOD.but(mode=0o777)},
         {b"f": GOOD.but(mode=0o777, uid=7, xattrs=x)},
         {b"f": GOOD.but(uid=7, xattrs=x)}, {"/f": "attributes"})
    case("half way from bad to base: goes on", {b"f": GOOD.but(uid=9)},
         {b"f": BAD.but(mode=0o777)}, {b"f": BAD.but(uid=9)},
         {b"f": GOOD.but(uid=9)}, {"/f": "restore"})
    case("immutable: cleared", {b"f": GOOD}, {b"f": BAD.but(flags="i")},
         {b"f": BAD.but(flags="i")}, {b"f": GOOD}, {"/f": "restore"},
         with_flags=True)
    case("immutable alone", {b"f": GOOD}, {b"f": GOOD.but(flags="i")},
         {b"f": GOOD.but(flags="i")}, {b"f": GOOD}, {"/f": "attributes"},
         with_flags=True)
    case("append-only: given back", {b"f": GOOD.but(flags="a")}, {b"f": BAD},
         {b"f": BAD}, {b"f": GOOD.but(flags="a")}, with_flags=True)
    case("immutable quarantine", {}, {b"f": BAD.but(flags="i")},
         {b"f": BAD.but(flags="i")}, {}, {"/f": "quarantine"},
         quarantined={b"f": BAD})
    case("immutable directory made by the damage",
         {}, {b"d": Node("d", flags="i"), b"d/f": BAD},
         {b"d": Node("d", flags="i"), b"d/f": BAD}, {},
         quarantined={b"d/f": BAD})
    i = Node("d", flags="i")
    case("in an immutable directory, which stays so",
         {b"d": i, b"d/f": GOOD, b"d/g": GOOD}, {b"d": i, b"d/f": BAD},
         {b"d": i, b"d/f": BAD}, {b"d": i, b"d/f": GOOD, b"d/g": GOOD},
         with_flags=True)
    case("directory made immutable by the damage",
         {b"d": D, b"d/f": GOOD}, {b"d": i, b"d/f": BAD},
         {b"d": i, b"d/f": BAD}, {b"d": D, b"d/f": GOOD}, with_flags=True)


def types():
    case("symbolic link changed", {b"l": L(b"good")}, {b"l": L(b"bad")},
         {b"l": L(b"bad")}, {b"l": L(b"good")}, {"/l": "restore"},
         check=mtime_is(b"l", MTIME))
    case("fifo, socket, device brought back",
         {b"p": Node("p", mode=0o600), b"s": Node("s", mode=0o600),
          b"c": Node("c", os.makedev(1, 3), mode=0o666, uid=4)}, {}, {},
         {b"p": Node("p", mode=0o600), b"s": Node("s", mode=0o600),
          b"c": Node("c", os.makedev(1, 3), mode=0o666, uid=4)})
    case("device number changed", {b"c": Node("c", os.makedev(1, 3))},
         {b"c": Node("c", os.makedev(1, 8))},
         {b"c": Node("c", os.makedev(1, 8))},
         {b"c": Node("c", os.makedev(1, 3))}, {"/c": "restore"})
    case("file became a link", {b"f": GOOD}, {b"f": L(b"/etc/passwd")},
         {b"f": L(b"/etc/passwd")}, {b"f": GOOD}, {"/f": "restore"})
    case("file became a fifo", {b"f": GOOD}, {b"f": Node("p")},
         {b"f": Node("p")}, {b"f": GOOD}, {"/f": "restore"})
    case("file became a directory", {b"f": GOOD},
         {b"f": D, b"f/x": BAD, b"f/y": D, b"f/y/z": BAD},
         {b"f": D, b"f/x": BAD, b"f/y": D, b"f/y/z": BAD}, {b"f": GOOD},
         {"/f": "restore", "/f/x": "quarantine", "/f/y": "quarantine",
          "/f/y/z": "quarantine"},
         quarantined={b"f/x": BAD, b"f/y/z": BAD})
    case("... with good work in it: stays one", {b"f": GOOD},
         {b"f": D, b"f/x": BAD}, {b"f": D, b"f/x": BAD, b"f/n": NEW},
         {b"f": D, b"f/n": NEW}, {"/f": "mixed", "/f/x": "quarantine"})
    case("directory became a file", {b"d": D, b"d/x": GOOD, b"d/e": D,
                                     b"d/e/y": GOOD},
         {b"d": BAD}, {b"d": BAD},
         {b"d": D, b"d/x": GOOD, b"d/e": D, b"d/e/y": GOOD},
         {"/d": "restore", "/d/x": "bring back", "/d/e": "bring back",
          "/d/e/y": "bring back"}, check=mtime_is(b"d", MTIME))
    case("... written since: stays one", {b"d": D, b"d/x": GOOD},
         {b"d": BAD}, {b"d": NEW}, {b"d": NEW},
         {"/d": "mixed", "/d/x": "mixed"})
    case("directory became a link: it is not followed",
         {b"d": D, b"d/x": GOOD, b"t": D, b"t/x": NEW},
         {b"d": L(b"t"), b"t": D, b"t/x": NEW},
         {b"d": L(b"t"), b"t": D, b"t/x": NEW},
         {b"d": D, b"d/x": GOOD, b"t": D, b"t/x": NEW},
         {"/d": "restore", "/d/x": "bring back"})
    case("directory became a link since: nothing is written through it",
         {b"d": D, b"d/x": GOOD, b"d/y": GOOD, b"t": D},
         {b"d": D, b"d/x": BAD, b"t": D}, {b"d": L(b"t"), b"t": D},
         {b"d": L(b"t"), b"t": D}, {"/d/x": "mixed", "/d/y": "mixed"})
    case("of another type since", {b"f": GOOD}, {b"f": BAD}, {b"f": D},
         {b"f": D}, {"/f": "mixed"})


def directories():
    case("made by the damage", {}, {b"d": D, b"d/e": D, b"d/e/f": BAD},
         {b"d": D, b"d/e": D, b"d/e/f": BAD}, {},
         quarantined={b"d/e/f": BAD})
    case("... with good work in it: stays, the bad goes", {},
         {b"d": D, b"d/f": BAD}, {b"d": D, b"d/f": BAD, b"d/g": NEW},
         {b"d": D, b"d/g": NEW}, {"/d": "mixed", "/d/f": "quarantine"})
    case("renamed by the attack",
         {b"a": D, b"a/b": D, b"a/b/f": GOOD, b"a/g": GOOD},
         {b"z": D, b"z/b": D, b"z/b/f": GOOD, b"z/g": GOOD},
         {b"z": D, b"z/b": D, b"z/b/f": GOOD, b"z/g": GOOD},
         {b"a": D, b"a/b": D, b"a/b/f": GOOD, b"a/g": GOOD})
    case("... and worked in since", {b"a": D, b"a/f": GOOD, b"a/g": GOOD},
         {b"z": D, b"z/f": GOOD, b"z/g": GOOD},
         {b"z": D, b"z/f": NEW, b"z/g": GOOD},
         {b"a": D, b"a/f": GOOD, b"a/g": GOOD, b"z": D, b"z/f": NEW})
    case("files renamed and encrypted", {b"a": D, b"a/f": GOOD},
         {b"a": D, b"a/f.locked": BAD}, {b"a": D, b"a/f.locked": BAD},
         {b"a": D, b"a/f": GOOD},
         {"/a/f": "bring back", "/a/f.locked": "quarantine"},
         check=mtime_is(b"a", MTIME))
    case("deleted with its directory, which was made again",
         {b"d": D, b"d/f": GOOD}, {}, {b"d": D}, {b"d": D, b"d/f": GOOD},
         {"/d": "done", "/d/f": "bring back"})
    case("the directory was removed since",
         {b"d": D, b"d/f": GOOD, b"d/g": GOOD}, {b"d": D, b"d/f": BAD}, {},
         {}, {"/d/f": "mixed", "/d/g": "mixed"})


def links():
    three = {b"a": GOOD}
    names = [(b"b", b"a"), (b"c", b"a")]
    case("spoilt through one name: a set again", three, {b"a": BAD},
         {b"a": BAD}, dict.fromkeys((b"a", b"b", b"c"), GOOD),
         links=(names, names, names), check=one_file(b"a", b"b", b"c"))
    case("one name of a set deleted", three, {b"a": GOOD}, {b"a": GOOD},
         dict.fromkeys((b"a", b"b", b"c"), GOOD), {"/b": "bring back"},
         links=(names, names[1:], names[1:]),
         check=one_file(b"a", b"b", b"c"))
    case("all names deleted", three, {}, {},
         dict.fromkeys((b"a", b"b", b"c"), GOOD),
         links=(names, (), ()), check=one_file(b"a", b"b", b"c"))
    case("split, with the same content", three,
         {b"a": GOOD, b"c": GOOD}, {b"a": GOOD, b"c": GOOD},
         dict.fromkeys((b"a", b"b", b"c"), GOOD), {"/c": "restore"},
         links=(names, names[:1], names[:1]),
         check=one_file(b"a", b"b", b"c"))
    case("split, with other content", three,
         {b"a": GOOD, b"c": BAD}, {b"a": GOOD, b"c": BAD},
         dict.fromkeys((b"a", b"b", b"c"), GOOD), {"/c": "restore"},
         links=(names, names[:1], names[:1]),
         check=one_file(b"a", b"b", b"c"))
    case("split, and the rest written since: not tied to it", three,
         {b"a": GOOD, b"c": BAD}, {b"a": NEW, b"c": BAD},
         {b"a": NEW, b"b": NEW, b"c": GOOD}, {"/c": "restore"},
         links=(names, names[:1], names[:1]), check=apart(b"a", b"c"))
    case("joined, with the same content", {b"a": GOOD, b"b": GOOD},
         {b"a": GOOD}, {b"a": GOOD}, {b"a": GOOD, b"b": GOOD},
         {"/b": "restore"}, links=((), names[:1], names[:1]),
         check=apart(b"a", b"b"))
    case("joined, with other content", {b"a": GOOD, b"b": NEW},
         {b"a": GOOD}, {b"a": GOOD}, {b"a": GOOD, b"b": NEW},
         {"/b": "restore"}, links=((), names[:1], names[:1]),
         check=apart(b"a", b"b"))
    case("a name added to a spoilt file", {b"a": GOOD}, {b"a": BAD},
         {b"a": BAD}, {b"a": GOOD}, {"/a": "restore", "/b": "quarantine"},
         links=((), names[:1], names[:1]), quarantined={b"b": BAD})
    case("split, then tied to something else", {b"a": GOOD},
         {b"a": GOOD, b"b": GOOD}, {b"a": GOOD, b"n": GOOD},
         {b"a": GOOD, b"b": GOOD, b"n": GOOD}, {"/b": "restore"},
         links=(names[:1], (), [(b"b", b"n")]), check=one_file(b"a", b"b"))
    case("attributes of a set", three, {b"a": GOOD.but(mode=0o777)},
         {b"a": GOOD.but(mode=0o777)},
         dict.fromkeys((b"a", b"b", b"c"), GOOD),
         links=(names, names, names), check=one_file(b"a", b"b", b"c"))
    case("an immutable set", {b"a": GOOD.but(flags="i")}, {b"a": BAD},
         {b"a": BAD},
         {b"a": GOOD.but(flags="i"), b"b": GOOD.but(flags="i")},
         links=(names[:1], names[:1], names[:1]), with_flags=True,
         check=one_file(b"a", b"b"))


def names():
    odd = [b"n" * 255, b"\xff\xfe", b"new\nline", b"back\\slash", b" ",
           b"-rf", b"\xc3\xa9", b"\x1b]0;t\x07\x7f", b"\xc2\x9b2J"]
    case("names that are long, no text, or strange",
         dict.fromkeys(odd, GOOD), dict.fromkeys(odd, BAD),
         dict.fromkeys(odd, BAD), dict.fromkeys(odd, GOOD))
    case("... brought back", dict.fromkeys(odd, GOOD), {}, {},
         dict.fromkeys(odd, GOOD))
    case("... to quarantine", {}, dict.fromkeys(odd, BAD),
         dict.fromkeys(odd, BAD), {}, quarantined=dict.fromkeys(odd, BAD))
    depth = 60		# of 255 bytes each: four times PATH_MAX
    for tree, text in zip(TREES, (b"good", b"bad", b"bad")):
        build(tree, {})
        at = os.open(TMP + b"/" + tree, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(b"d" * 255, dir_fd=at)
            at, up = os.open(b"d" * 255, os.O_RDONLY, dir_fd=at), at
            os.close(up)
        with open(os.open(b"f", os.O_CREAT | os.O_WRONLY, dir_fd=at),
                  "wb") as f:
            f.write(text)
        if tree == b"bad" or tree == b"now":
            with open(os.open(b"evil", os.O_CREAT | os.O_WRONLY, dir_fd=at),
                      "wb") as f:
                f.write(text)
        os.close(at)
    code, _, err = merge()
    at = os.open(TMP + b"/now", os.O_RDONLY)
    for _ in range(depth):
        at, up = os.open(b"d" * 255, os.O_RDONLY, dir_fd=at), at
        os.close(up)
    with open(os.open(b"f", os.O_RDONLY, dir_fd=at), "rb") as f:
        got = f.read()
    left = os.listdir(at)
    os.close(at)
    result(code == 0 and got == b"good" and left == ["f"],
           "a path longer than the kernel takes", code, got, left, err)
    # Deeper than anybody works, made to use up what we have
    build(b"base", {b"f": GOOD})
    for tree in TREES[1:]:
        build(tree, {b"f": BAD, b"d": D})
        at = os.open(TMP + b"/" + tree, os.O_RDONLY)
        for _ in range(1100):
            os.mkdir(b"e", dir_fd=at)
            at, up = os.open(b"e", os.O_RDONLY, dir_fd=at), at
            os.close(up)
        os.close(at)
    code, items, err = merge(wrap=("prlimit", "--nofile=3500"))
    subprocess.run(("rm", "-rf", TMP + b"/now/e", TMP + b"/bad/e"))
    result(code == 0 and snapshot(b"now") == {b"f": GOOD} and
           items["/e"][0] == "mixed", "a tree that is too deep is left, the "
           "rest restored", code, snapshot(b"now"), err)


def sizes():
    def sparse(tree, at, text):
        with open(TMP + b"/" + tree + b"/s", "r+b") as f:
            f.truncate(1 << 33)
            f.seek(at)
            f.write(text)
    for tree, text in zip(TREES, (b"good", b"baad", b"baad")):
        build(tree, {b"s": F(b"")})
        sparse(tree, 5 << 30, text)
        sparse(tree, 7 << 30, b"same")
    code, items, err = merge()
    st = os.lstat(TMP + b"/now/s")
    with open(TMP + b"/now/s", "rb") as f:
        f.seek(5 << 30)
        got = f.read(4)
    result(code == 0 and got == b"good" and st.st_size == 1 << 33 and
           st.st_blocks < 2000, "a sparse file of 8 GiB stays sparse",
           code, got, st, err)
    big = os.urandom(9 << 20)
    case("a big file, changed in its last byte", {b"f": F(big)},
         {b"f": F(big[:-1] + b"?")}, {b"f": F(big[:-1] + b"?")},
         {b"f": F(big)}, {"/f": "restore"})


def selectors():
    base = {b"a": D, b"a/f": GOOD, b"a/g": GOOD, b"h": GOOD}
    bad = {b"a": D, b"a/f": BAD, b"a/g": BAD.but(uid=7), b"h": BAD,
           b"e": BAD}
    case("--path", base, bad, bad, {**bad, b"a/f": GOOD, b"a/g": GOOD},
         {"/a/f": "restore", "/a/g": "restore"}, "--path", "/a")
    case("--not-path", base, bad, bad, {**bad, b"h": GOOD},
         {"/h": "restore"}, "--not-path", "/a", "--not-path", "/e")
    case("--uid", base, bad, bad, {**bad, b"a/g": GOOD},
         {"/a/g": "restore"}, "--uid", "7")
    case("--older: nothing is", base, bad, bad, bad, {}, "--older",
         str(MTIME))
    case("a file of a deleted directory is chosen", {b"d": D, b"d/e": D,
                                                     b"d/e/f": GOOD,
                                                     b"d/g": GOOD}, {}, {},
         {b"d": D, b"d/e": D, b"d/e/f": GOOD}, {"/d/e/f": "bring back"},
         "--path", "/d/e/f")
    case("a created directory without all of its files", {},
         {b"d": D, b"d/f": BAD, b"d/g": BAD},
         {b"d": D, b"d/f": BAD, b"d/g": BAD}, {b"d": D, b"d/g": BAD},
         {"/d": "mixed", "/d/f": "quarantine"}, "--not-path", "/d/g")


def patterns():
    for tree, spec in ((b"base", {b"a": D, b"a/b": D, b"a/b/c": GOOD,
                                  b"l": L("a"), b"x[1]": GOOD}),
                       (b"bad", {b"enc": BAD}), (b"now", {b"new": NEW})):
        build(tree, spec)
    for code, words in ((0, "/ /** ** /a /a/ /a/b/c /a/*/c /a/** /*/*/c **/c "
                            "/**/b/**/c **/**/c /a/b/c/** /l /[a-b]/b /enc "
                            "/x[[]1] /x\\[1] /new /new/** **/n?w /a/b/c/**/**"),
                        (16, "/b /a/c /a/b/c/d /a/b/c/**/d **/d /l/b /*/c /**/a/c "
                             "/x[1] /a/new /srv/a /A **/b/c/c")):
        for word in words.split():
            got, _, err = merge("--find", "--path", word)
            result(got == code and (got == 0 or f": {word}: nothing is named"
                                    in err),
                   f"{word} names {'nothing' if code else 'something'}",
                   got, err)
    got, _, err = merge("--find", "--path", "/a", "--path", "/b")
    result(got == 16 and ": /b:" in err, "each pattern has to", got, err)
    # Who tried each way through them would not come to an end.
    build(b"now", {b"/".join([b"d"] * n): D for n in range(1, 121)})
    word = "/**/d" * 8 + "/**/nosuch"
    got, _, err = merge("--find", "--path", word)
    result(got == 16 and "nothing is named" in err,
           "many ways through deep folders", got, err)
    build(b"now", {b"/".join([b"d"] * n): D for n in range(1, 301)})
    got, _, err = merge("--find", "--path", "**/nosuch")
    result(got == 0, "what may lie deeper is not refused", got, err)


def beside():
    case("--beside", {b"f": GOOD}, {b"f": BAD}, {b"f": NEW},
         {b"f": NEW, b"f.before-7": GOOD}, {"/f": "mixed"}, "--beside")
    case("--beside twice makes no other copy", {b"f": GOOD}, {b"f": BAD},
         {b"f": NEW, b"f.before-7": GOOD},
         {b"f": NEW, b"f.before-7": GOOD}, {"/f": "mixed"}, "--beside")
    case("--beside does not take a name that is used", {b"f": GOOD},
         {b"f": BAD}, {b"f": NEW, b"f.before-7": NEW},
         {b"f": NEW, b"f.before-7": NEW, b"f.before-7.1": GOOD},
         {"/f": "mixed"}, "--beside")
    long = b"n" * 255
    case("--beside of a name of 255 bytes", {long: GOOD}, {long: BAD},
         {long: NEW}, {long: NEW, long[:-9] + b".before-7": GOOD},
         {shown_long(long): "mixed"}, "--beside")
    case("--beside of what was removed", {b"f": GOOD}, {b"f": BAD}, {},
         {b"f.before-7": GOOD}, {"/f": "mixed"}, "--beside")


def shown_long(name):
    return "/" + name.decode()


def quarantine():
    where = TMP + b"/elsewhere"
    shutil.rmtree(where, ignore_errors=True)
    os.mkdir(where, 0o700)
    bad = {b"d": D, b"d/f": BAD.but(uid=6), b"p": Node("p")}
    case("--quarantine", {}, bad, bad, {}, None, "--quarantine", where)
    got = snapshot(b"elsewhere")
    result(not differences(got, bad), "... has it all",
           *differences(got, bad))
    shm = b"/dev/shm/dmdelta-test-%d" % os.getpid()
    os.mkdir(shm, 0o700)
    case("--quarantine on another file system", {}, bad, bad, {}, None,
         "--quarantine", shm)
    found = sorted(os.path.join(p, f) for p, _, fs in os.walk(shm)
                   for f in fs)
    st = os.lstat(shm + b"/d/f")
    result(found == [shm + b"/d/f", shm + b"/p"] and st.st_uid == 6,
           "... is copied", found, st)
    shutil.rmtree(shm)
    both = {**bad, b"e": BAD}
    for mode, uid, how in ((0o777, 0, "others can write to"),
                           (0o711, 0, "others can enter"),
                           (0o750, 0, "a group can enter"),
                           (0o700, 7, "another user owns")):
        os.chmod(where, mode)
        os.chown(where, uid, 0)
        case(f"a quarantine that {how} is refused, and nothing changed",
             {b"e": GOOD}, both, both, both, None, "--quarantine", where,
             status=8)
    os.chown(where, 0, 0)
    os.chmod(where, 0o700)
    case("... but none is needed without anything to move", {b"e": GOOD},
         {b"e": BAD}, {b"e": BAD}, {b"e": GOOD}, None, "--quarantine",
         where + b"/none")
    case("a quarantine that is not there is refused", {}, bad, bad, bad, None,
         "--quarantine", where + b"/none", status=8)
    planted = Node("d", mode=0o755, uid=7)
    build(b"base", {})
    build(b"bad", bad)
    build(b"now", {**bad, b".dmdelta-quarantine-7": planted})
    code, _, err = merge()
    got = snapshot(b"now")
    result(code == 8 and got == bad and "others own the quarantine" in err,
           "so is one in the root that somebody has prepared", code, got, err)
    # One that an attacker has prepared
    bad = {b"f": BAD}
    build(b"base", {})
    build(b"bad", bad)
    build(b"now", {**bad, b"t": D, b".dmdelta-quarantine-7": L(b"t")})
    code, _, _ = merge()
    got = snapshot(b"now", skip=None)
    result(code == 8 and got[b"f"] == BAD and b"t/f" not in got,
           "a quarantine that is a planted link is not used", code, got)
    build(b"now", {**bad, b".dmdelta-quarantine-7": Node("d", mode=0o700),
                   b".dmdelta-quarantine-7/f": NEW})
    code, _, err = merge()
    got = snapshot(b"now", skip=None)
    result(code == 0 and got.get(b".dmdelta-quarantine-7/f") == NEW and
           got.get(b".dmdelta-quarantine-7/f.1") == BAD,
           "what is there already is not overwritten", code, got, err)


def races():
    """Between plan and apply"""
    for what, spec, how, want in (
            ("written", BAD, "echo more >>f", F(b"spoilt\nmore\n")),
            ("replaced", BAD, "echo x >g; mv g f", F(b"x\n")),
            ("chmod", BAD, "chmod 600 f", BAD.but(mode=0o600)),
            ("chown", BAD, "chown 7 f", BAD.but(uid=7)),
            ("an xattr", BAD,
             "python3 -c 'import os; os.setxattr(\"f\", \"user.a\", b\"1\")'",
             BAD.but(xattrs={"user.a": b"1"}.items()))):
        build(b"base", {b"f": GOOD})
        build(b"bad", {b"f": spec})
        build(b"now", {b"f": spec})
        code, items, err = merge("--between", b"cd " + TMP + b"/now; " +
                                 how.encode())
        got = snapshot(b"now")
        result(got == {b"f": want} and items["/f"][0] == "mixed" and
               code == 0, f"{what} after the plan: kept", got, items, err)
    build(b"base", {})
    build(b"bad", {b"d": D, b"d/f": BAD})
    build(b"now", {b"d": D, b"d/f": BAD})
    code, items, err = merge("--between", b"echo n >" + TMP + b"/now/d/g")
    got = snapshot(b"now")
    result(got == {b"d": D, b"d/g": F(b"n\n")} and
           items["/d"][0] == "mixed", "a directory that gets a file stays",
           got, items, err)
    build(b"base", {b"d": D})
    for tree in TREES[1:]:
        build(tree, {b"d": D.but(mode=0o777)})
    code, items, err = merge("--between", b"chown 7 " + TMP + b"/now/d")
    got = snapshot(b"now")
    result(got == {b"d": D.but(mode=0o777, uid=7)} and
           items["/d"][0] == "mixed", "so is a directory's other owner", got,
           items, err)
    build(b"base", {b"d": D, b"d/f": GOOD})
    build(b"bad", {b"d": D, b"d/f": BAD})
    build(b"now", {b"d": D, b"d/f": BAD, b"t": D, b"t/f": BAD})
    code, items, err = merge("--between", b"cd " + TMP +
                             b"/now; mv d e; ln -s t d")
    got = snapshot(b"now")
    result(got.get(b"t/f") == BAD and got.get(b"e/f") == BAD and
           items["/d/f"][0] == "mixed",
           "a link planted after the plan is not followed", got, items, err)
    build(b"base", {b"f": GOOD})
    build(b"bad", {})
    build(b"now", {})
    code, items, err = merge("--between", b"echo n >" + TMP + b"/now/f")
    got = snapshot(b"now")
    result(got == {b"f": F(b"n\n")} and items["/f"][0] == "mixed",
           "made again after the plan: kept", got, items, err)


def slowly(inject, ready, meanwhile, *options):
    """A merge that a system call holds up; what happens once it is there"""
    trace = TMP + b"/trace"
    slow = subprocess.Popen(
        (b"strace", b"-o", trace, b"-E", b"ASAN_OPTIONS=detect_leaks=0",
         b"-e", b"inject=" + inject + b"=3000000", TMP + b"/files-merge",
         *options, *(TMP + b"/" + t for t in TREES)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while slow.poll() is None and not ready(trace):
        time.sleep(0.01)
    time.sleep(1)
    meanwhile()
    out, err = slow.communicate()
    return slow.returncode, out, err


def at_work():
    """While it is at work"""
    now = TMP + b"/now/"
    shm = b"/dev/shm/dmdelta-test-%d" % os.getpid()

    def replace():
        with open(now + b"g", "w") as f:
            f.write("new\n")
        os.rename(now + b"g", now + b"f")

    def write():
        with open(now + b"f", "a") as f:
            f.write("new\n")

    def chown():
        os.chown(now + b"f", 7, 7)

    def label():
        os.setxattr(now + b"f", "user.a", b"new\n")

    # The name is exchanged; then it is looked at what had it
    for change in chown, label:
        for tree, spec in zip(TREES, (GOOD, BAD, BAD)):
            build(tree, {b"f": spec})
        out = slowly(b"renameat2:delay_enter", lambda _: any(
            n.startswith(b".dmdelta-tmp") for n in os.listdir(now)), change)
        got = snapshot(b"now")
        result(b"changed while" in out[1] and got[b"f"].content ==
               BAD.content and (got[b"f"].uid == 7 or got[b"f"].xattrs) and
               len(got) == 1, f"{change.__name__} just before the exchange: "
               "kept", got, out)

    for inject, where, options, change in (
            (b"syncfs:when=1:delay_enter", shm, ("--quarantine", shm),
             replace),
            (b"syncfs:when=1:delay_enter", shm, ("--quarantine", shm), write),
            (b"renameat2:delay_enter", now + b".dmdelta-quarantine-7", (),
             replace)):
        os.mkdir(shm, 0o700)
        build(b"base", {})
        for tree in TREES[1:]:
            build(tree, {b"f": BAD})
        there = where + b"/f" if options else where
        out = slowly(inject, lambda _: os.path.exists(there), change,
                     *options)
        got = snapshot(b"now").get(b"f")
        left = os.listdir(where)
        result(got and got.content.endswith(b"new\n") and not left and
               b"changed while" in out[1],
               f"{change.__name__} while it goes to quarantine: kept", got,
               left, out)
        shutil.rmtree(shm)

    for tree, spec in zip(TREES, (GOOD, BAD, BAD)):
        build(tree, {b"f": spec})

    def leased(trace):
        with open(trace, "rb") as f:
            return b"SETLEASE" in f.read()

    code, out, err = slowly(b"fcntl:delay_exit", leased, write)
    result(code == 0 and snapshot(b"now")[b"f"].content.endswith(b"new\n"),
           "somebody opens the file that is looked at for a writer", code,
           out, err)

    build(b"base", {b"d": Node("d", mode=0o4777, uid=5)})
    build(b"bad", {})
    build(b"now", {b"f": GOOD.but(mode=0o600)})

    def temporary():
        return [n for n in os.listdir(now) if n.startswith(b".dmdelta-tmp")]

    def swap():
        name = now + temporary()[0]
        os.rmdir(name)
        os.rename(now + b"f", name)

    out = slowly(b"mkdirat:delay_exit", lambda _: temporary(), swap)
    st = [os.lstat(now + n) for n in os.listdir(now)]
    result(all(s.st_uid == 0 and s.st_mode == 0o100600 for s in st),
           "a file that is put in the place of a new directory stays as it is",
           st, out)


def in_use():
    for tree, spec in zip(TREES, ({b"f": GOOD}, {b"f": BAD}, {b"f": BAD})):
        build(tree, spec)
    with open(TMP + b"/now/f", "r+b"):
        code, items, err = merge()
    got = snapshot(b"now")
    result(got == {b"f": BAD} and items["/f"] == ("mixed",
                                                  "open for writing"),
           "a file that is open for writing is kept", got, items, err)
    with open(TMP + b"/now/f", "rb"):
        code, items, err = merge()
    got = snapshot(b"now")
    result(got == {b"f": GOOD} and code == 0,
           "one that is open for reading is restored", got, items, err)
    for tree, spec in zip(TREES, ({b"f": GOOD}, {b"f": BAD}, {b"f": BAD})):
        build(tree, spec)
    lock = subprocess.Popen(["flock", TMP + b"/now", "cat"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lock.stdin.write(b"x\n")
    lock.stdin.flush()
    lock.stdout.read(1)
    code, _, err = merge()
    lock.stdin.close()
    lock.wait()
    result(code == 8 and "another recovery" in err and
           snapshot(b"now") == {b"f": BAD}, "one recovery at a time", code,
           err)


TREE = ({b"a": D, b"a/f": GOOD, b"a/g": F(b"g" * 5000, uid=3),
         b"a/h": GOOD.but(mode=0o755), b"a/l": L(b"f"), b"b": D,
         b"b/c": D, b"b/c/x": GOOD, b"t": GOOD, b"u": D, b"u/v": GOOD,
         b"s": GOOD},
        {b"a": D, b"a/f": BAD.but(flags="i"), b"a/g.locked": BAD,
         b"a/h": GOOD.but(mode=0o4777, uid=9, flags="a"), b"a/l": L(b"/etc"),
         b"t": D, b"t/evil": BAD, b"u": BAD, b"s": BAD, b"w": D,
         b"w/x": BAD})
LINKS = ([(b"s2", b"s"), (b"b/s3", b"s")], [(b"s2", b"s")], [(b"s2", b"s")])


def at_each(calls, fault, over, judge=lambda code, err: ()):
    """A fault at every one of these system calls, in turn; then run again

    over: does a run that ended with this code mean that it met none any more?
    judge: problems of one that did, by code and messages
    """
    base, bad = TREE
    want = {**base, b"s2": GOOD, b"b/s3": GOOD}
    problems, nr = [], 0
    for call in calls:
        for n in range(1, 40):
            for tree, spec, names in zip(TREES, (base, bad, bad), LINKS):
                build(tree, spec, names)
            code, _, err = merge(wrap=(
                "strace", "-f", "-o", "/dev/null", "-E",
                "ASAN_OPTIONS=detect_leaks=0", "-e", f"trace={call}", "-e",
                f"inject={call}:{fault}:when={n}"))
            if over(code):
                if code and not err.startswith("dmdelta"):
                    problems.append(f"{call} {n}: exit {code}: {err}")
                break
            nr += 1
            found = list(judge(code, err))
            again, _, err = merge()
            found += differences(snapshot(b"now", with_flags=True), want)
            found += [f"left {p}" for p in snapshot(b"now", skip=None)
                      if p.startswith(b".dmdelta-tmp")]
            if again:
                found.append(f"again: exit {again}: {err}")
            problems += [f"{call} {n}: {p}" for p in found]
    return problems, nr


def killed():
    """At every system call that changes something; then run again"""
    problems, nr = at_each(
        ("renameat2", "linkat", "unlinkat", "fsync", "ioctl", "fchownat",
         "chmod", "mkdirat", "utimensat", "symlinkat", "setxattr"),
        "signal=KILL", lambda code: code >= 0 and code != 137)
    result(not problems and nr > 40,
           f"killed at {nr} places, the next run comes to the same",
           *problems[:40])


def full():
    """No space at a system call that takes some; then run again"""
    base, bad = TREE
    trees = {**base, b"s2": GOOD, b"b/s3": GOOD}, {**bad, b"s2": BAD}

    def judge(code, err):
        if code != 8 or "; free some space there" not in err:
            yield f"exit {code}: {err}"
        for path, node in snapshot(b"now").items():
            if node.content not in [t[path].content for t in trees
                                    if path in t and
                                    t[path].type == node.type]:
                yield f"{path} is {node}"

    problems, nr = at_each(
        ("pwrite64", "linkat", "renameat2", "mkdirat", "symlinkat", "fsync",
         "setxattr"), "error=ENOSPC", lambda code: not code, judge)
    result(not problems and nr > 10,
           f"no space at {nr} places: nothing half written, the next run "
           "goes on", *problems[:40])


def out_of_space():
    """A file system of our own, too small"""
    where = TMP + b"/small"
    os.makedirs(where, exist_ok=True)
    base = {b"%d" % i: F(b"g" * 200000) for i in range(20)}
    build(b"base", base)
    build(b"bad", {})
    script = b"""
        mount -t tmpfs -o size=2m none "$1/small" || exit 77
        for force in "" --force; do
            "$1/files-merge" $force "$1/base" "$1/bad" "$1/small" >/dev/null \\
                2>"$1/err"
            echo $? $(ls "$1/small" | wc -l) "$(cat "$1/err")"
        done
        cmp "$1/small/1" "$1/base/1" && rm -r "$1/small"/*
        truncate -s 1500000 "$1/small/f" "$1/base/f" "$1/bad/f"
        for f in bad small; do tr "\\0" b <"$1/small/f" >"$1/$f/g"; done
        rm "$1"/*/f "$1/base"/?* "$1/bad"/1*
        tr b g <"$1/bad/g" >"$1/base/g"
        "$1/files-merge" "$1/base" "$1/bad" "$1/small" 2>&1
        rm -f "$1"/*/g
        head -c 300000 /dev/zero | tr "\\0" g >"$1/base/l"
        for i in 0 1 2 3 4 5 6 7 8 9; do ln "$1/base/l" "$1/base/l$i"; done
        "$1/files-merge" "$1/base" "$1/bad" "$1/small" >/dev/null || exit
        echo "links $(ls "$1/small" | wc -l)"
    """
    out = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", TMP],
                         stdout=subprocess.PIPE).stdout.decode()
    if out:
        first, forced, *last = out.split("\n")
        result(first.startswith("8 0 ") and "nothing was changed" in first,
               "too little space: said before anything is changed", out)
        result(forced.startswith("8 ") and "free some space there" in forced
               and not forced.startswith("8 0 "),
               "... but tried with --force", out)
        result("up to" in " ".join(last), "a file has to be there twice", out)
        result("links 11" in last, "one with several names but once", out)


def cases():
    for part in (table, attributes, types, directories, links, names, sizes,
                 selectors, patterns, beside, quarantine, races, at_work, in_use,
                 out_of_space, full, killed):
        part()
