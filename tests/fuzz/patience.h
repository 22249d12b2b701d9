// How long border.c waits for a call. A call whose threads stand in line for a processor is slow, not stuck.

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 10 };

// How long the threads of this process have stood in line, together: the second number of `schedstat` (Linux,
// Documentation/scheduler/sched-stats.rst). Who asks is left out: waking up often it stands in line often. 0 where the kernel
// does not count.
static unsigned starved_ms(void) {
    unsigned long long sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[sizeof task->d_name + 32];
        unsigned long long ran, waited;
        if (atol(task->d_name) == 0 || atol(task->d_name) == syscall(SYS_gettid)) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task->d_name);
        FILE *file = fopen(path, "r");
        // It may have ended meanwhile.
        if (!file) continue;
        if (fscanf(file, "%llu %llu", &ran, &waited) == 2) sum += waited;
        fclose(file);
    }
    closedir(tasks);
    return (unsigned)(sum / 1000000);
}

static void end_everything(void);

static void *ending(void *unused) { return end_everything(), unused; }

static pthread_t ender;
static atomic_int ender_begun;

// Ends what waits, and says so when it does not end. Ending may itself not end: another thread does it.
static void *look_after(void *unused) {
    unsigned seen[4] = {0}, looks[4] = {0}, starved_before[4] = {0};
    const char *said = getenv("PATIENCE_MS");
    const unsigned patience = said ? (unsigned)atoi(said) : 20000;
    for (;;) {
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
        for (unsigned i = 0; i < 4; i++) {
            unsigned call = atomic_load(&programs[i].call);
            looks[i] = call == seen[i] && call % 2 ? looks[i] + 1 : 0;
            seen[i] = call;
            if (looks[i] * LOOK_MS == 40) {
                starved_before[i] = starved_ms();
                if (!atomic_exchange(&has_ended, 1)) {
                    if (pthread_create(&ender, NULL, ending, NULL)) give_up("a thread cannot be begun");
                    atomic_store(&ender_begun, 1);
                }
            }
            if (looks[i] * LOOK_MS <= patience || looks[i] % 100) continue;
            // On a busy machine what would answer may not have had its turn: four times as long is long enough for that too.
            unsigned starved = starved_ms();
            // What ended meanwhile took its time with it.
            starved -= starved < starved_before[i] ? starved : starved_before[i];
            if (starved < patience / 2 || looks[i] * LOOK_MS > 4 * patience) {
                char what[128];
                snprintf(what, sizeof what, "it does not return in %u ms, of which its threads waited %u for a processor", looks[i] * LOOK_MS, starved);
                fail(&programs[i], what);
            }
        }
    }
    return unused;
}

// Nothing of it reaches the next program.
static void wait_for_ender(void) {
    if (!atomic_exchange(&has_ended, 1)) return;
    while (!atomic_exchange(&ender_begun, 0)) sched_yield();
    pthread_join(ender, NULL);
}
