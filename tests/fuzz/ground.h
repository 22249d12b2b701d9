// Where programs of border.c do as they like: an empty file system in memory of their own, without a network. What a program names,
// `/etc` and `sftp://` included, is in there or is not there. It belongs to one process and ends with it, and is emptied after each
// program, so that no program finds what another one left.

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Where is said what was found: stderr, and the file of FUZZ_LOG, since AFL++ reads no stderr.
static int log_file = -1;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[4096];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line - 1, format, values);
    va_end(values);
    if (length < 0) return;
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    line[length++] = '\n';
    // There is nobody to be told of what cannot be told.
    (void)!write(2, line, (size_t)length);
    if (log_file >= 0) (void)!write(log_file, line, (size_t)length);
}

// What this program cannot do is no fault of the library: it ends without a signal, and says why.
static _Noreturn void give_up(const char *what) {
    int reason = errno;
    struct statvfs space = {0};
    statvfs("/", &space);
    say("GAVE UP: %s: %s; %llu KiB of the ground are free", what, strerror(reason), (unsigned long long)space.f_bfree * space.f_bsize / 1024);
    _exit(3);
}

static int written(const char *path, const char *content, size_t length) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0) return 1;
    // What was written in part had no room for the rest.
    errno = ENOSPC;
    int failed = write(file, content, length) != (ssize_t)length, reason = errno;
    failed |= close(file);
    errno = reason;
    return failed;
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
    if (is_root && (setgid(65534) || setuid(65534))) give_up("nobody cannot be become");
    // Whoever has become somebody else may not be looked into, by sanitizers neither.
    prctl(PR_SET_DUMPABLE, 1);
}

static int removed(const char *path, const struct stat *stat, int type, struct FTW *at) {
    (void)stat, (void)at;
    // It can be read in the next round.
    if (type == FTW_DNR) return chmod(path, 0700) && 0;
    return remove(path) && 0;
}

// Nothing is left of a program, wherever it wrote: a path that begins with `/` leads out of its directory.
static void empty_ground(void) {
    if (chdir("/")) give_up("the ground cannot be emptied");
    for (int round = 0; round < 2; round++) {
        DIR *root = opendir("/");
        if (!root) give_up("the ground cannot be emptied");
        for (struct dirent *item; (item = readdir(root));) {
            char path[sizeof item->d_name + 1];
            if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, "..") || !strcmp(item->d_name, "proc")) continue;
            snprintf(path, sizeof path, "/%s", item->d_name);
            nftw(path, removed, 16, FTW_DEPTH | FTW_PHYS);
        }
        closedir(root);
    }
}

// A directory with two places and a book in it, which is the current one from then on. Each program has one of its own, so that
// what works on in that of an earlier one does not reach it.
static void begin_ground(unsigned turn, const char *book, size_t length) {
    char dir[32];
    snprintf(dir, sizeof dir, "/%u", turn);
    if (mkdir(dir, 0777) || chdir(dir) || mkdir("source", 0777) || mkdir("source/dir", 0777) || mkdir("target", 0777) ||
        written("source/a.txt", "one", 3) || written("source/dir/b.txt", "two", 3) || written("target/c.txt", "three", 5) ||
        written("book.db", book, length))
        give_up("a ground cannot be made");
}

// The content of a file, which is removed.
static char *taken_file(const char *path, size_t *length) {
    struct stat stat;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &stat)) give_up(path);
    char *content = malloc((size_t)stat.st_size);
    for (*length = 0; *length < (size_t)stat.st_size;) {
        ssize_t some = read(file, content + *length, (size_t)stat.st_size - *length);
        if (some <= 0) give_up(path);
        *length += (size_t)some;
    }
    if (close(file) || remove(path)) give_up(path);
    return content;
}
