// The story that every language tells: it prints the lines of expected.txt. The first argument is an empty directory.
//
//   cc scenario.c $(pkg-config --cflags --libs portbook) -lpthread

#include <portbook.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[3000];

// The record {"FIELD":"DIR/NAME"}, for an option of a path.
static const char *at(const char *format, const char *name) {
    static char text[2][8192];
    static int turn;
    char path[4096];
    turn = !turn;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(text[turn], sizeof text[turn], format, path);
    return text[turn];
}

static const char *place(const char *name) { return at("{\"type\":\"directory\",\"path\":\"%s\"}", name); }

static const char SHELF[] = "{\"type\":\"host\",\"key\":\"shelf\"}";

static void put(const char *name, const char *content) {
    FILE *file = fopen(at("%s", name), "w");
    if (!file || fputs(content, file) < 0 || fclose(file)) exit(2);
}

// Prints a line about a call that has to fail, and frees its error.
static void refused(const char *what, portbook_code code, char *error) {
    printf("%s: %s\n", what, portbook_code_text(code));
    portbook_text_free(error);
}

// Ends the story when a call fails that must not.
static void must(portbook_code code, char *error) {
    if (code == PORTBOOK_OK) return;
    printf("failed: %s\n", error);
    exit(1);
}

// What stands at a field of JSON, its quotes left out: enough of a parser for what is printed here.
static const char *field(const char *json, const char *name, char *into, size_t size) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *from = json ? strstr(json, key) : NULL;
    if (!from) return "?";
    from += strlen(key);
    int quoted = *from == '"';
    from += quoted;
    size_t length = strcspn(from, quoted ? "\"" : ",}]");
    snprintf(into, size, "%.*s", (int)length, from);
    return into;
}

static portbook_run *begun(portbook_conduit *conduit) {
    char *error = NULL;
    portbook_run *run = NULL;
    must(portbook_conduit_sync(conduit, NULL, NULL, &run, &error), error);
    return run;
}

// Prints the outcome of a run and frees it.
static void outcome(const char *what, portbook_run *run) {
    char *json = NULL, *error = NULL;
    char new[64], updated[64], failed[64], cancelled[64], step[64];
    portbook_code code = portbook_run_finish(run, &json, &error);
    if (code == PORTBOOK_OK)
        printf("%s: new %s, updated %s, failed %s, cancelled %s, in step %s\n", what, field(json, "new", new, sizeof new),
               field(json, "updated", updated, sizeof updated), field(json, "failed", failed, sizeof failed),
               field(json, "cancelled", cancelled, sizeof cancelled), field(json, "is_in_step", step, sizeof step));
    else
        refused(what, code, error);
    portbook_text_free(json);
    portbook_run_free(run);
}

// The host's own files: one directory in memory. It serves until its store ends.
struct shelf {
    portbook_host_store *store;
    portbook_run *cancels;     // cancelled at the next request
    int is_full;               // refuses to be written to
    int count;
    struct { char path[256], bytes[256]; int length; } files[16];
};

static void *serve(void *argument) {
    struct shelf *shelf = argument;
    char *json = NULL, *error = NULL, type[64], number[64], path[256], to[256], answer[8192];
    while (portbook_host_store_next_request(shelf->store, &json, &error) == PORTBOOK_OK) {
        long long id = atoll(field(json, "id", number, sizeof number));
        field(json, "type", type, sizeof type);
        if (!strstr(json, "\"path\":")) path[0] = 0;
        else field(json, "path", path, sizeof path);
        int found = -1;
        for (int i = 0; i < shelf->count; i++)
            if (!strcmp(shelf->files[i].path, path)) found = i;
        if (shelf->cancels) portbook_run_cancel(shelf->cancels);
        if (!strcmp(type, "read_at")) {
            portbook_host_store_reply_bytes(shelf->store, id, (const uint8_t *)shelf->files[found].bytes,
                                            (size_t)shelf->files[found].length, NULL);
        } else if (!strcmp(type, "write_at") && shelf->is_full) {
            portbook_host_store_fail(shelf->store, id, "the shelf is full", PORTBOOK_QUOTA, NULL);
        } else {
            strcpy(answer, "{\"type\":\"done\"}");
            if (!strcmp(type, "list_dir")) {
                int used = sprintf(answer, "{\"type\":\"listing\",\"entries\":[");
                for (int i = 0; i < shelf->count; i++)
                    used += sprintf(answer + used, "%s{\"name\":\"%s\",\"kind\":\"file\",\"bytes\":%d,\"version\":\"1\"}",
                                    i ? "," : "", shelf->files[i].path, shelf->files[i].length);
                strcpy(answer + used, "]}");
            } else if (!strcmp(type, "look") && !path[0]) {
                strcpy(answer, "{\"type\":\"found\",\"entry\":{\"name\":\"\",\"kind\":\"dir\"}}");
            } else if (!strcmp(type, "look") && found < 0) {
                strcpy(answer, "{\"type\":\"absent\"}");
            } else if (!strcmp(type, "look")) {
                snprintf(answer, sizeof answer,
                         "{\"type\":\"found\",\"entry\":{\"name\":\"%s\",\"kind\":\"file\",\"bytes\":%d,\"version\":\"1\"}}", path,
                         shelf->files[found].length);
            } else if (!strcmp(type, "write_at")) {
                uint8_t *bytes = NULL;
                size_t length = 0;
                portbook_host_store_bytes(shelf->store, id, &bytes, &length, NULL);
                if (found < 0) found = shelf->count++;
                strcpy(shelf->files[found].path, path);
                memcpy(shelf->files[found].bytes, bytes, length);
                shelf->files[found].length = (int)length;
                portbook_bytes_free(bytes, length);
            } else if (!strcmp(type, "rename")) {
                strcpy(shelf->files[found].path, field(json, "to", to, sizeof to));
            } else if (!strcmp(type, "remove_item") && found >= 0) {
                shelf->files[found] = shelf->files[--shelf->count];
            }
            portbook_host_store_reply(shelf->store, id, answer, NULL);
        }
        portbook_text_free(json);
        json = NULL;
    }
    return NULL;
}

// The host's own tables: rows in memory, each a JSON object as it came. It serves until its store ends.
struct shop {
    portbook_host_records *store;
    int is_full;               // refuses to be written to
    int has_notes;             // the copies have a column more
    char orders[3][128], copies[3][128];
};

// Writes the rows of a table that are there as a list.
static void rows_of(char table[3][128], char *into) {
    int used = sprintf(into, "{\"type\":\"rows\",\"rows\":[");
    for (int i = 0; i < 3; i++)
        if (table[i][0]) used += sprintf(into + used, "%s%s", into[used - 1] == '[' ? "" : ",", table[i]);
    strcpy(into + used, "]}");
}

static void row(char rows[3][128], int id, const char *name, const char *price) {
    snprintf(rows[id - 1], sizeof rows[id - 1], "{\"id\":%d,\"name\":\"%s\",\"price\":%s}", id, name, price);
}

// Puts a row in its place, with what is there already of columns that are not given.
static void put_row(char rows[3][128], const char *given) {
    char id[64], name[128], price[64], quoted[80];
    int number = atoi(field(given, "id", id, sizeof id));
    field(strstr(given, "\"name\":") ? given : rows[number - 1], "name", name, sizeof name);
    field(strstr(given, "\"price\":") ? given : rows[number - 1], "price", price, sizeof price);
    snprintf(quoted, sizeof quoted, strcmp(price, "null") ? "\"%s\"" : "%s", price);
    row(rows, number, name, quoted);
}

static void *serve_rows(void *argument) {
    static const char DESCRIBED[] =
        "{\"type\":\"described\",\"table\":{\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"kind\":\"integer\"},"
        "{\"name\":\"name\",\"kind\":\"text\"},{\"name\":\"price\",\"kind\":\"decimal\"}%s]}}";
    struct shop *shop = argument;
    char *json = NULL, type[64], number[64], table[64], answer[1024];
    while (portbook_host_records_next_request(shop->store, &json, NULL) == PORTBOOK_OK) {
        long long id = atoll(field(json, "id", number, sizeof number));
        field(json, "type", type, sizeof type);
        field(json, "table", table, sizeof table);
        int is_write = !strcmp(type, "insert") || !strcmp(type, "update"), is_copy = strcmp(table, "orders") != 0;
        char(*rows)[128] = is_copy ? shop->copies : shop->orders;
        if (is_write && shop->is_full) {
            portbook_host_records_fail(shop->store, id, "the shop is full", PORTBOOK_QUOTA, NULL);
        } else if (is_write) {
            for (char *given = strstr(json, "[{") + 1, *end; (end = strchr(given, '}')); given = end + 2) {
                *end = 0;
                put_row(rows, given);
                if (end[1] != ',') break;
            }
            portbook_host_records_reply(shop->store, id, "{\"type\":\"done\"}", NULL);
        } else if (!strcmp(type, "describe")) {
            snprintf(answer, sizeof answer, DESCRIBED, shop->has_notes && is_copy ? ",{\"name\":\"note\",\"kind\":\"text\"}" : "");
            portbook_host_records_reply(shop->store, id, answer, NULL);
        } else if (!strcmp(type, "scan")) {
            rows_of(rows, answer);
            portbook_host_records_reply(shop->store, id, answer, NULL);
        } else {
            portbook_host_records_fail(shop->store, id, "the shop has no such thing", PORTBOOK_UNSUPPORTED, NULL);
        }
        portbook_text_free(json);
        json = NULL;
    }
    return NULL;
}

static void order(struct shop *shop, int id, const char *name, const char *price) { row(shop->orders, id, name, price); }

// Prints what stands in JSON between a field and the next one, as it is.
static void print_value(const char *json, const char *name, const char *next) {
    const char *from = strstr(json, name), *to = from ? strstr(from, next) : NULL;
    if (to) printf("%.*s", (int)(to - from - (long)strlen(name)), from + strlen(name));
}

static portbook_run *begun_of_rows(portbook_definition *definition) {
    char *error = NULL;
    portbook_run *run = NULL;
    must(portbook_definition_sync(definition, NULL, NULL, &run, &error), error);
    return run;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    snprintf(dir, sizeof dir, "%s", arguments[1]);
    mkdir(at("%s", "source"), 0777);
    put("source/a.txt", "one");
    put("source/b.txt", "three");
    put("source/\xc3\xb6 \xe6\x97\xa5\xe6\x9c\xac.txt", "seven77");
    char *json = NULL, *error = NULL, id[64], name[256], bytes[64];

    // The codes are the same everywhere.
    must(portbook_codes(&json, &error), error);
    printf("codes:");
    for (const char *at = json; (at = strstr(at, "\"text\":")); at++) printf(" %s", field(at, "text", name, sizeof name));
    printf("\n");
    portbook_text_free(json);

    // Books that cannot be opened.
    portbook_book *book = NULL, *second = NULL;
    portbook_code code = portbook_book_open("{}", &book, &error);
    refused("open nothing", code, error);
    put("no.book", "this is a text, and longer than the header of a database, so that nobody takes it for a new one");
    code = portbook_book_open(at("{\"path\":\"%s\"}", "no.book"), &book, &error);
    refused("open a text", code, error);
    code = portbook_book_open(at("{\"path\":\"%s\",\"memory_bytes\":9007199254740992}", "book.db"), &book, &error);
    refused("open with 2^53 bytes", code, error);
    must(portbook_book_open(at("{\"path\":\"%s\",\"memory_bytes\":9007199254740991}", "book.db"), &book, &error), error);
    printf("open with 2^53 - 1 bytes: ok\n");
    must(portbook_book_open(at("{\"path\":\"%s\"}", "book.db"), &second, &error), error);
    printf("open it again: ok\n");
    must(portbook_book_shutdown(second, &error), error);
    portbook_book_free(second);

    // What would change, and which of it is wanted.
    portbook_session *session = NULL;
    portbook_conduit *conduit = NULL;
    portbook_preview *preview = NULL;
    must(portbook_book_default_session(book, &session, &error), error);
    must(portbook_session_connect(session, place("source"), place("target"), NULL, &conduit, &error), error);
    must(portbook_conduit_preview(conduit, NULL, &preview, &error), error);
    must(portbook_preview_summary(preview, &json, &error), error);
    printf("preview: new %s", field(json, "new", name, sizeof name));
    printf(", bytes %s\n", field(json, "bytes", bytes, sizeof bytes));
    portbook_text_free(json);
    must(portbook_preview_changes(preview, NULL, NULL, 1000, &json, &error), error);
    char first[128] = "";
    for (const char *at = json; (at = strstr(at, "{\"id\":")); at++) {
        char kind[64], action[64], moved[64];
        if (!first[0]) snprintf(first, sizeof first, "[\"%s\"]", field(at, "id", id, sizeof id));
        printf("change: %s %s %s, bytes %s, moved from %s\n", field(at, "kind", kind, sizeof kind),
               field(at, "action", action, sizeof action), field(at, "path", name, sizeof name),
               field(at, "bytes", bytes, sizeof bytes), field(at, "moved_from", moved, sizeof moved));
    }
    portbook_text_free(json);
    must(portbook_preview_tick(preview, first, false, &error), error);

    // It is applied: the events in their order, then the outcome, twice.
    portbook_run *run = NULL;
    must(portbook_preview_id(preview, &json, &error), error);
    must(portbook_conduit_apply(conduit, json, NULL, &run, &error), error);
    char *event = NULL;
    while ((code = portbook_run_next_event(run, &event, &error)) == PORTBOOK_OK) {
        char type[64];
        field(event, "type", type, sizeof type);
        if (!strcmp(type, "planned")) printf("event: planned, new %s\n", field(event, "new", name, sizeof name));
        if (!strcmp(type, "applied"))
            for (const char *at = event; (at = strstr(at, "{\"path\":")); at++)
                printf("event: applied %s, bytes %s\n", field(at, "path", name, sizeof name), field(at, "bytes", bytes, sizeof bytes));
        portbook_text_free(event);
    }
    char *again = NULL, *report = NULL;
    must(portbook_run_finish(run, &report, &error), error);
    must(portbook_run_finish(run, &again, &error), error);
    printf("the outcome is told again: %s\n", strcmp(report, again) ? "no" : "yes");
    portbook_text_free(report);
    portbook_text_free(again);
    outcome("apply", run);
    must(portbook_conduit_apply(conduit, json, NULL, &run, &error), error);
    outcome("apply it again", run);
    portbook_text_free(json);
    portbook_preview_free(preview);

    // What was not ticked is still to be done, and then nothing is.
    outcome("sync", begun(conduit));
    outcome("sync once more", begun(conduit));
    portbook_conduit_free(conduit);

    // Files that the host holds itself.
    struct shelf shelf = {0};
    pthread_t thread;
    must(portbook_session_host_store(session, "shelf", NULL, &shelf.store, &error), error);
    code = portbook_session_host_store(session, "shelf", NULL, &(portbook_host_store *){NULL}, &error);
    refused("a second store of that key", code, error);
    must(portbook_session_connect(session, place("source"), SHELF, NULL, &conduit, &error), error);
    shelf.cancels = run = begun(conduit);
    pthread_create(&thread, NULL, serve, &shelf);
    outcome("sync to the host, cancelled", run);
    shelf.cancels = NULL;
    shelf.is_full = 1;
    outcome("sync to a host that fails", begun(conduit));
    shelf.is_full = 0;
    outcome("sync to the host", begun(conduit));
    code = portbook_host_store_reply(shelf.store, 1, "{\"type\":\"done\"}", &error);
    refused("an answer that nobody waits for", code, error);
    portbook_host_store_shutdown(shelf.store);
    pthread_join(thread, NULL);
    for (const char *wanted[] = {"a.txt", "b.txt", "\xc3\xb6 \xe6\x97\xa5\xe6\x9c\xac.txt", NULL}, **next = wanted; *next; next++)
        for (int i = 0; i < shelf.count; i++)
            if (!strcmp(shelf.files[i].path, *next))
                printf("the host holds %s: %.*s\n", *next, shelf.files[i].length, shelf.files[i].bytes);
    portbook_host_store_free(shelf.store);
    portbook_conduit_free(conduit);

    // Rows that the host holds itself.
    static const char ORDERS[] = "{\"type\":\"host\",\"key\":\"shop\",\"table\":\"orders\"}";
    static const char COPIES[] = "{\"type\":\"host\",\"key\":\"shop\",\"table\":\"copies\"}";
    struct shop shop = {0};
    portbook_definition *definition = NULL;
    order(&shop, 1, "one", "\"1.50\"");
    order(&shop, 2, "zwei", "\"9007199254740993\"");
    order(&shop, 3, "\xc3\xb6 \xe6\x97\xa5\xe6\x9c\xac", "null");
    must(portbook_session_host_records(session, "shop", NULL, &shop.store, &error), error);
    code = portbook_session_host_records(session, "shop", NULL, &(portbook_host_records *){NULL}, &error);
    refused("a second store of tables of that key", code, error);
    pthread_create(&thread, NULL, serve_rows, &shop);
    must(portbook_session_connect_records(session, ORDERS, COPIES, NULL, &definition, &error), error);
    must(portbook_definition_preview(definition, NULL, &json, &error), error);
    field(json, "id", id, sizeof id);
    printf("preview of rows: new %s", field(json, "new", name, sizeof name));
    printf(", of %s\n", field(json, "source_rows", bytes, sizeof bytes));
    portbook_text_free(json);
    must(portbook_definition_changes(definition, id, NULL, NULL, 1000, &json, &error), error);
    first[0] = 0;
    for (const char *at = json; (at = strstr(at, "{\"id\":")); at++) {
        char kind[64], action[64];
        if (!first[0]) snprintf(first, sizeof first, "[\"%s\"]", field(at, "id", bytes, sizeof bytes));
        printf("row: %s %s %s\n", field(at, "kind", kind, sizeof kind), field(at, "action", action, sizeof action),
               field(at, "row", name, sizeof name));
    }
    portbook_text_free(json);
    must(portbook_definition_tick(definition, id, first, false, &error), error);
    must(portbook_definition_apply(definition, id, NULL, &run, &error), error);
    outcome("apply rows", run);
    outcome("sync rows", begun_of_rows(definition));
    outcome("sync rows once more", begun_of_rows(definition));
    order(&shop, 2, "two", "\"9007199254740993\"");
    outcome("sync rows, one changed", begun_of_rows(definition));
    order(&shop, 1, "one", "true");
    outcome("sync rows, one of another kind", begun_of_rows(definition));
    order(&shop, 1, "uno", "\"1.50\"");
    shop.is_full = 1;
    outcome("sync rows to a host that fails", begun_of_rows(definition));
    order(&shop, 1, "one", "\"1.50\"");
    must(portbook_definition_verify(definition, &json, &error), error);
    printf("verify rows: %s\n", field(json, "status", name, sizeof name));
    portbook_text_free(json);
    for (int i = 0; i < 3; i++) {
        printf("the host holds row %d: %s", i + 1, field(shop.copies[i], "name", name, sizeof name));
        printf(", %s\n", field(shop.copies[i], "price", bytes, sizeof bytes));
    }
    portbook_definition_free(definition);

    // A row that both sides have changed waits for a person, who takes something of both.
    static const char MANUAL[] = "{\"mode\":\"two_way\",\"policy\":\"manual\"}";
    static const char MERGE[] = "{\"type\":\"merge\",\"target_columns\":[\"price\"]}";
    must(portbook_session_connect_records(session, ORDERS, COPIES, MANUAL, &definition, &error), error);
    order(&shop, 3, "drei", "null");
    row(shop.copies, 3, "\xc3\xb6 \xe6\x97\xa5\xe6\x9c\xac", "3");
    shop.is_full = 0;
    outcome("sync rows, one changed on both sides", begun_of_rows(definition));
    must(portbook_definition_conflicts(definition, NULL, 1000, &json, &error), error);
    char met[128], mark[64], at_target[64];
    field(json, "id", met, sizeof met);
    field(json, "mark", mark, sizeof mark);
    printf("conflict: row %s, at source %s, at target %s\n", field(json, "row", name, sizeof name),
           field(json, "is_at_source", bytes, sizeof bytes), field(json, "is_at_target", at_target, sizeof at_target));
    portbook_text_free(json);
    must(portbook_definition_inspect_conflict(definition, met, &json, &error), error);
    for (const char *at = json; (at = strstr(at, "{\"source\":")); at++) {
        if (strcmp(field(at, "is_same", bytes, sizeof bytes), "false")) continue;
        printf("field: %s, ", field(at, "target", name, sizeof name));
        print_value(at, "\"source_value\":", ",\"target_value\"");
        printf(" at the source, ");
        print_value(at, "\"target_value\":", ",\"is_same\"");
        printf(" at the target\n");
    }
    portbook_text_free(json);
    code = portbook_definition_resolve_conflict(definition, met, "0", MERGE, &error);
    refused("decide about what was not seen", code, error);
    must(portbook_definition_resolve_conflict(definition, met, mark, MERGE, &error), error);
    must(portbook_definition_preview(definition, NULL, &json, &error), error);
    field(json, "id", id, sizeof id);
    portbook_text_free(json);
    must(portbook_definition_changes(definition, id, NULL, NULL, 1000, &json, &error), error);
    for (const char *at = json; (at = strstr(at, "{\"id\":")); at++)
        printf("row: %s %s %s\n", field(at, "kind", name, sizeof name), field(at, "action", bytes, sizeof bytes),
               field(at, "row", mark, sizeof mark));
    portbook_text_free(json);
    outcome("sync rows, as decided", begun_of_rows(definition));
    must(portbook_definition_conflicts(definition, NULL, 1000, &json, &error), error);
    printf("conflicts that wait: %d\n", strcmp(json, "[]") ? 1 : 0);
    portbook_text_free(json);
    field(shop.orders[2], "name", name, sizeof name);
    field(shop.orders[2], "price", bytes, sizeof bytes);
    if (!strcmp(name, field(shop.copies[2], "name", met, sizeof met)) && !strcmp(bytes, field(shop.copies[2], "price", mark, sizeof mark)))
        printf("both hold row 3: %s, %s\n", name, bytes);

    // What has changed about a table is told until a run has gone over it.
    shop.has_notes = 1;
    must(portbook_definition_drift(definition, &json, &error), error);
    for (const char *at = json; (at = strstr(at, "{\"side\":")); at++)
        printf("drift: %s %s %s, %s\n", field(at, "side", id, sizeof id), field(at, "kind", bytes, sizeof bytes),
               field(at, "name", name, sizeof name), field(at, "effect", mark, sizeof mark));
    portbook_text_free(json);
    outcome("sync rows, with a column more", begun_of_rows(definition));
    must(portbook_definition_drift(definition, &json, &error), error);
    printf("drift that is left: %d\n", strcmp(json, "[]") ? 1 : 0);
    portbook_text_free(json);
    portbook_host_records_shutdown(shop.store);
    pthread_join(thread, NULL);
    portbook_host_records_free(shop.store);
    portbook_definition_free(definition);

    // What is not there, and what has ended.
    code = portbook_session_preview(session, "00000000-0000-0000-0000-000000000000", &preview, &error);
    refused("a preview that is not there", code, error);
    code = portbook_session_connect(session, SHELF, place("target"), NULL, &conduit, &error);
    refused("a store that has ended", code, error);
    code = portbook_session_connect_records(session, ORDERS, COPIES, NULL, &definition, &error);
    refused("tables of a store that has ended", code, error);
    must(portbook_book_shutdown(book, &error), error);
    must(portbook_book_shutdown(book, &error), error);
    printf("shutdown, twice: ok\n");
    code = portbook_session_history(session, 1, &json, &error);
    refused("use after shutdown", code, error);
    portbook_session_free(session);
    portbook_book_free(book);
    return 0;
}
