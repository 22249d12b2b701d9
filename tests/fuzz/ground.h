// Where programs of border.c do as they like: an empty file system in memory of their own, without a network. What a program names,
// `/etc` and `sftp://` included, is in there or is not there.

#define _GNU_SOURCE

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int written(const char *path, const char *content, size_t length) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int failed = file < 0 || write(file, content, length) != (ssize_t)length;
    return close(file) || failed;
}

static int is_root;

// Enters it. 0, or what is not allowed here.
static const char *enter_ground(void) {
    char map[64];
    unsigned user = getuid(), group = getgid();
    is_root = user == 0;
    // Who is not root is, in a space of its own.
    int spaces = CLONE_NEWNS | CLONE_NEWNET | (user ? CLONE_NEWUSER : 0);
    if (unshare(spaces)) return "unshare";
    if (user) {
        if (written("/proc/self/setgroups", "deny", 4)) return "setgroups";
        if (written("/proc/self/uid_map", map, (size_t)snprintf(map, sizeof map, "0 %u 1", user))) return "uid_map";
        if (written("/proc/self/gid_map", map, (size_t)snprintf(map, sizeof map, "0 %u 1", group))) return "gid_map";
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return "mount /";
    const char *root = "/tmp";
    if (mount("ground", root, "tmpfs", 0, "size=512m")) return "mount tmpfs";
    if (chdir(root) || mkdir("proc", 0777)) return "mkdir";
    // The engine looks there who it is.
    if (mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL)) return "mount proc";
    if (mount(NULL, "proc", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL)) return "mount proc read-only";
    if (chmod(".", 0777) || chroot(".")) return "chroot";
    return NULL;
}

// Root is root no more. After AFL++ has been answered, whose memory is root's.
static void become_nobody(void) {
    if (is_root && (setgid(65534) || setuid(65534))) abort();
    // Whoever has become somebody else may not be looked into, by sanitizers neither.
    prctl(PR_SET_DUMPABLE, 1);
}

static int removed(const char *path, const struct stat *stat, int type, struct FTW *at) {
    (void)stat, (void)type, (void)at;
    return remove(path) && 0;
}

// A directory with two places in it, which is the current one from then on.
static void begin_ground(unsigned turn) {
    char dir[32];
    snprintf(dir, sizeof dir, "/%u", turn);
    if (mkdir(dir, 0777) || chdir(dir) || mkdir("source", 0777) || mkdir("source/dir", 0777) || mkdir("target", 0777)) abort();
    if (written("source/a.txt", "one", 3) || written("source/dir/b.txt", "two", 3) || written("target/c.txt", "three", 5)) abort();
}

static void end_ground(unsigned turn) {
    char dir[32];
    snprintf(dir, sizeof dir, "/%u", turn);
    if (chdir("/")) abort();
    nftw(dir, removed, 16, FTW_DEPTH | FTW_PHYS);
}

static void copy_file(const char *from, const char *to) {
    char piece[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ssize_t length;
    while ((length = read(in, piece, sizeof piece)) > 0)
        if (write(out, piece, (size_t)length) != length) abort();
    if (length < 0 || close(in) || close(out)) abort();
}
