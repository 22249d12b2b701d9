// The same as border.rs, in C: border DIR, where border.rs was before. The last line is a JSON object. Without arguments it says the
// version and ends, which is what loading the library takes.
//
//   cc -O2 border.c -I ../include libportbook_ffi.so

#define _DEFAULT_SOURCE

#include <portbook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, CALLS = 1000 };

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void must(portbook_code code, char *error) {
    if (code == PORTBOOK_OK) return;
    fprintf(stderr, "failed: %s\n", error);
    exit(1);
}

// The number at a field, from a place in JSON on; moves the place behind it. Null when there is none any more.
static const char *number(const char *json, const char *field, long long *into) {
    const char *at = json ? strstr(json, field) : NULL;
    if (!at) return NULL;
    char *end;
    *into = strtoll(at + strlen(field), &end, 10);
    return end;
}

// Every change, a page at a time: how many there are, and their bytes.
static long long read_changes(portbook_preview *preview, long long *bytes) {
    char *json = NULL, *error = NULL, after[128] = "";
    long long count = 0, of_one;
    for (;;) {
        must(portbook_preview_changes(preview, NULL, *after ? after : NULL, 1000, &json, &error), error);
        for (const char *at = json; (at = number(at, "\"bytes\":", &of_one)); count++) *bytes += of_one;
        // It stands at the end of the page.
        const char *next = json + strlen(json);
        while (next > json && strncmp(next, "\"next\":", 7)) next--;
        int is_last = next == json || next[7] == 'n';
        if (!is_last) snprintf(after, sizeof after, "%.*s", (int)strcspn(next + 8, "\""), next + 8);
        portbook_text_free(json);
        if (is_last) return count;
    }
}

static const char *place(const char *dir, const char *name) {
    static char text[2][4096];
    static int turn;
    turn = !turn;
    snprintf(text[turn], sizeof *text, "{\"type\":\"directory\",\"path\":\"%s/%s\"}", dir, name);
    return text[turn];
}

// Carries the same files into a new directory: items a second, and events where they are read.
static double carried(portbook_session *session, const char *dir, const char *name, double *events_per_s) {
    portbook_conduit *conduit = NULL;
    portbook_run *run = NULL;
    char *json = NULL, *error = NULL;
    long long events = 0, items = 0;
    must(portbook_session_connect(session, place(dir, "source"), place(dir, name), NULL, &conduit, &error), error);
    must(portbook_conduit_sync(conduit, NULL, NULL, &run, &error), error);
    double begun = now();
    while (events_per_s && portbook_run_next_event(run, &json, &error) == PORTBOOK_OK) {
        // An event holds up to 1,000 items: each is one that is told.
        long long bytes;
        const char *at = json;
        if (strstr(json, "\"type\":\"applied\""))
            while ((at = number(at, "\"bytes\":", &bytes))) events++;
        else events++;
        portbook_text_free(json);
    }
    must(portbook_run_finish(run, &json, &error), error);
    double taken = now() - begun;
    number(json, "\"new\":", &items);
    portbook_text_free(json);
    portbook_run_free(run);
    portbook_conduit_free(conduit);
    if (events_per_s) *events_per_s = (double)events / taken;
    return (double)items / taken;
}

int main(int count, char **arguments) {
    if (count == 1) return puts(portbook_version()) < 0;
    const char *dir = arguments[1];
    char path[4096], id[128] = "", *json = NULL, *error = NULL;
    snprintf(path, sizeof path, "%s/preview", dir);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(id, sizeof id, file) || fclose(file)) return 2;
    portbook_book *book = NULL;
    portbook_session *session = NULL;
    portbook_preview *preview = NULL;
    snprintf(path, sizeof path, "{\"path\":\"%s/book.db\"}", dir);
    must(portbook_book_open(path, &book, &error), error);
    must(portbook_book_default_session(book, &session, &error), error);
    must(portbook_session_preview(session, id, &preview, &error), error);

    double best = 1e9, call = 1e9, at_once = 1e9;
    long long changes = 0, bytes = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now();
        changes = read_changes(preview, &bytes);
        double taken = now() - begun;
        if (taken < best) best = taken;

        begun = now();
        for (int i = 0; i < CALLS; i++) {
            must(portbook_preview_summary(preview, &json, &error), error);
            portbook_text_free(json);
        }
        if ((taken = now() - begun) < call) call = taken;

        begun = now();
        for (int i = 0; i < CALLS; i++) {
            must(portbook_preview_id(preview, &json, &error), error);
            portbook_text_free(json);
        }
        if ((taken = now() - begun) < at_once) at_once = taken;
    }
    double events = 0, read = carried(session, dir, "c-events_read", &events);
    double unread = carried(session, dir, "c-events_unread", NULL);
    portbook_preview_free(preview);
    portbook_session_free(session);
    must(portbook_book_shutdown(book, &error), error);
    portbook_book_free(book);
    printf("{\"c_changes\":%lld,\"c_changes_per_s\":%.0f,\"c_call_us\":%.2f,\"c_call_at_once_us\":%.3f,\"c_events_per_s\":%.0f,"
           "\"c_run_items_per_s_events_read\":%.0f,\"c_run_items_per_s_events_unread\":%.0f}\n",
           changes, (double)changes / best, call / CALLS * 1e6, at_once / CALLS * 1e6, events, read, unread);
    return bytes < 0;
}
