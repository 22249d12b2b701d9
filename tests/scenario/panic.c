// A panic inside of the library is the code `internal` and ends nothing but its call. For a library with the feature `fault`, which
// panics where a host names something `panic!`. The first argument is an empty directory. Prints "ok" at the end.

#define _DEFAULT_SOURCE

#include "mistakes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What the host names so: nothing, its root, an item of its root, or an item that is looked at before it is made.
static enum { NOTHING, ROOT, LISTED, LOOKED_AT } broken;

// Has nothing, takes nothing in, and says of each write that it was done.
static void *serve(void *store) {
    char *json = NULL, answer[256];
    while (portbook_host_store_next_request(store, &json, NULL) == PORTBOOK_OK) {
        int is_look = strstr(json, "\"look\"") != NULL, is_root = strstr(json, "\"path\":\"\"") != NULL;
        const char *panic = (broken == ROOT && is_root) || (broken == LOOKED_AT && !is_root) ? "panic!" : "";
        if (is_look && (is_root || *panic))
            snprintf(answer, sizeof answer, "{\"type\":\"found\",\"entry\":{\"name\":\"%s\",\"kind\":\"dir\"}}", panic);
        else if (is_look)
            strcpy(answer, "{\"type\":\"found\",\"entry\":{\"name\":\"a\",\"kind\":\"file\",\"bytes\":0,\"version\":\"1\"}}");
        else if (strstr(json, "\"list_dir\""))
            snprintf(answer, sizeof answer, "{\"type\":\"listing\",\"entries\":[%s]}",
                     broken == LISTED ? "{\"name\":\"panic!\",\"kind\":\"dir\"}" : "");
        else
            strcpy(answer, "{\"type\":\"done\"}");
        portbook_host_store_reply(store, atoll(strstr(json, "\"id\":") + 5), answer, NULL);
        portbook_text_free(json);
    }
    return NULL;
}

// Describes a table of which a column is named so; what is asked besides is never answered.
static void *describe(void *store) {
    char *json = NULL;
    while (portbook_host_records_next_request(store, &json, NULL) == PORTBOOK_OK) {
        const char *column = broken ? "panic!" : "id";
        char answer[256];
        snprintf(answer, sizeof answer,
                 "{\"type\":\"described\",\"table\":{\"columns\":[{\"name\":\"%s\",\"kind\":\"integer\"}],\"key\":[\"%s\"]}}", column, column);
        if (strstr(json, "\"scan\"")) strcpy(answer, "{\"type\":\"rows\",\"rows\":[]}");
        portbook_host_records_reply(store, atoll(strstr(json, "\"id\":") + 5), answer, NULL);
        portbook_text_free(json);
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    snprintf(dir, sizeof dir, "%s", arguments[1]);
    mkdir(with("%s", "source"), 0777);
    FILE *file = fopen(with("%s", "source/a"), "w");
    if (!file || fclose(file)) return 2;
    // Nothing that hangs hangs for ever.
    alarm(120);
    char *error = NULL, *json = NULL, source[4096];
    portbook_book *book = NULL;
    portbook_session *session = NULL;
    portbook_volume *volume = NULL;
    portbook_host_store *store = NULL;
    portbook_conduit *conduit = NULL;
    portbook_preview *preview = NULL;
    is("open", portbook_book_open(with("{\"path\":\"%s\"}", "book.db"), &book, &error), PORTBOOK_OK, &error);
    is("session", portbook_book_default_session(book, &session, &error), PORTBOOK_OK, &error);

    // In a call that returns at once, and in one that waits.
    is("at once", portbook_session_host_store(session, "panic!", NULL, &store, &error), PORTBOOK_INTERNAL, &error);
    is("awaited", portbook_session_volume(session, "panic!", &volume, &error), PORTBOOK_INTERNAL, &error);
    if (store || volume) printf("an output of what panicked\n"), wrong++;

    // On the book's own threads: in a call, in what it began, in a run and after a run has begun to write.
    pthread_t thread;
    is("store", portbook_session_host_store(session, "shelf", NULL, &store, &error), PORTBOOK_OK, &error);
    pthread_create(&thread, NULL, serve, store);
    snprintf(source, sizeof source, "{\"type\":\"directory\",\"path\":\"%s/source\"}", dir);
    is("connect", portbook_session_connect(session, source, "{\"type\":\"host\",\"key\":\"shelf\"}", NULL, &conduit, &error),
       PORTBOOK_OK, &error);
    for (broken = ROOT; broken <= LISTED; broken++)
        is("preview", portbook_conduit_preview(conduit, NULL, &preview, &error), PORTBOOK_INTERNAL, &error);
    for (broken = ROOT; broken <= LOOKED_AT; broken++) {
        portbook_run *run = NULL;
        is("run", portbook_conduit_sync(conduit, NULL, NULL, &run, &error), PORTBOOK_OK, &error);
        while (portbook_run_next_event(run, &json, NULL) == PORTBOOK_OK) portbook_text_free(json);
        is("outcome", portbook_run_finish(run, &json, &error), PORTBOOK_INTERNAL, &error);
        portbook_run_free(run);
    }

    // In what a definition reads, and in a run of it, which keeps nothing.
    static const char ORDERS[] = "{\"type\":\"host\",\"key\":\"shop\",\"table\":\"orders\"}";
    static const char COPIES[] = "{\"type\":\"host\",\"key\":\"shop\",\"table\":\"copies\"}";
    portbook_host_records *records = NULL;
    portbook_definition *definition = NULL;
    portbook_run *run = NULL;
    pthread_t describing;
    is("at once", portbook_session_host_records(session, "panic!", NULL, &records, &error), PORTBOOK_INTERNAL, &error);
    broken = NOTHING;
    is("records", portbook_session_host_records(session, "shop", NULL, &records, &error), PORTBOOK_OK, &error);
    pthread_create(&describing, NULL, describe, records);
    is("connect", portbook_session_connect_records(session, ORDERS, COPIES, NULL, &definition, &error), PORTBOOK_OK, &error);
    broken = ROOT;
    is("preview", portbook_definition_preview(definition, NULL, &json, &error), PORTBOOK_INTERNAL, &error);
    is("run", portbook_definition_sync(definition, NULL, NULL, &run, &error), PORTBOOK_OK, &error);
    is("outcome", portbook_run_finish(run, &json, &error), PORTBOOK_INTERNAL, &error);
    portbook_run_free(run);
    broken = NOTHING;
    is("run", portbook_definition_sync(definition, NULL, NULL, &run, &error), PORTBOOK_OK, &error);
    is("outcome", portbook_run_finish(run, &json, &error), PORTBOOK_OK, &error);
    portbook_text_free(json);
    portbook_run_free(run);
    portbook_host_records_shutdown(records);
    pthread_join(describing, NULL);
    portbook_host_records_free(records);
    portbook_definition_free(definition);

    // The book, the conduit and the host are as good as before.
    broken = NOTHING;
    is("preview", portbook_conduit_preview(conduit, NULL, &preview, &error), PORTBOOK_OK, &error);
    portbook_preview_free(preview);
    is("check", portbook_book_check(book, &json, &error), PORTBOOK_OK, &error);
    portbook_text_free(json);
    portbook_host_store_shutdown(store);
    pthread_join(thread, NULL);
    portbook_host_store_free(store);
    portbook_conduit_free(conduit);
    portbook_session_free(session);
    is("shutdown", portbook_book_shutdown(book, &error), PORTBOOK_OK, &error);
    portbook_book_free(book);
    puts(wrong ? "wrong" : "ok");
    return wrong != 0;
}
