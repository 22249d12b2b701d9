// Opens a book, syncs and ends it, CYCLES times, and looks at its own memory: it must not grow. The first argument is an
// empty directory.

#define _DEFAULT_SOURCE

#include <portbook.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[3000];

static long resident_pages(void) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &all, &resident) != 2) resident = 0;
    fclose(file);
    return resident;
}

static void must(portbook_code code) {
    if (code == PORTBOOK_OK) return;
    printf("failed: %s\n", portbook_code_text(code));
    exit(1);
}

static void cycle(void) {
    char options[4096], source[4096], target[4096], *json = NULL;
    snprintf(options, sizeof options, "{\"path\":\"%s/book.db\"}", dir);
    snprintf(source, sizeof source, "{\"type\":\"directory\",\"path\":\"%s/source\"}", dir);
    snprintf(target, sizeof target, "{\"type\":\"directory\",\"path\":\"%s/target\"}", dir);
    portbook_book *book = NULL;
    portbook_session *session = NULL;
    portbook_conduit *conduit = NULL;
    portbook_run *run = NULL;
    must(portbook_book_open(options, &book, NULL));
    must(portbook_book_default_session(book, &session, NULL));
    must(portbook_session_connect(session, source, target, NULL, &conduit, NULL));
    must(portbook_conduit_sync(conduit, NULL, NULL, &run, NULL));
    while (portbook_run_next_event(run, &json, NULL) == PORTBOOK_OK) portbook_text_free(json);
    must(portbook_run_finish(run, &json, NULL));
    portbook_text_free(json);
    portbook_run_free(run);
    portbook_conduit_free(conduit);
    portbook_session_free(session);
    must(portbook_book_shutdown(book, NULL));
    portbook_book_free(book);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    snprintf(dir, sizeof dir, "%s", arguments[1]);
    char path[4096];
    snprintf(path, sizeof path, "%s/source", dir);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/source/a", dir);
    FILE *file = fopen(path, "w");
    if (!file || fputs("a", file) < 0 || fclose(file)) return 2;

    const char *wanted = getenv("CYCLES");
    long cycles = wanted ? atol(wanted) : 1000, warm = cycles / 10 + 20;
    for (long i = 0; i < warm; i++) cycle();
    long before = resident_pages();
    for (long i = 0; i < cycles; i++) cycle();
    long grown = (resident_pages() - before) * sysconf(_SC_PAGESIZE);
    printf("%ld cycles: grown by %ld bytes\n", cycles, grown);
    // What the allocator and the history of the book take varies: of 1,000 cycles, 2 KiB lost in each are seen.
    return grown > 2L << 20;
}
