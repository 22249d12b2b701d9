// The pure calls answer what an implementation beside ours says, as in every language. The first argument is an empty directory, the
// second tests/vectors/pure.json, which has a vector a line. Prints "ok" at the end.

#include <portbook.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char line[4096];

// The text at a field of the line, its quotes and backslashes taken away; there is nothing else in these.
static const char *field(const char *name, char *into) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(line, key);
    char *end = into;
    if (at) {
        for (at += strlen(key) + 1; *at && *at != '"'; at++) *end++ = *at == '\\' ? *++at : *at;
    }
    *end = 0;
    return at ? into : NULL;
}

static size_t bytes_of(const char *hex, uint8_t *into) {
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) sscanf(hex + 2 * i, "%2hhx", &into[i]);
    return length;
}

static int says(portbook_code code, char *text, char *error, const char *wanted) {
    int is = wanted ? code == PORTBOOK_OK && text && !strcmp(text, wanted) : code == PORTBOOK_INVALID && !text && error && *error;
    portbook_text_free(text);
    portbook_text_free(error);
    return is;
}

static int shows_path(const uint8_t *bytes, size_t length, const char *wanted) {
    char *text = NULL, *error = NULL;
    portbook_code code = portbook_show_path(bytes, length, &text, &error);
    return says(code, text, error, wanted);
}

static int shows_address(const char *written, const char *wanted) {
    char *text = NULL, *error = NULL;
    portbook_code code = portbook_show_address(written, &text, &error);
    return says(code, text, error, wanted);
}

// `wanted` null: no path is shown so.
static int reads_path(const char *shown, const uint8_t *wanted, size_t wanted_length) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    portbook_code code = portbook_path_bytes(shown, &bytes, &length, NULL);
    int is = wanted ? code == PORTBOOK_OK && length == wanted_length && !memcmp(bytes, wanted, length) : code == PORTBOOK_INVALID && !bytes;
    portbook_bytes_free(bytes, length);
    return is;
}

static int holds(const char *of) {
    static char hex[1024], shown[1024], written[1024], hash[128];
    static uint8_t bytes[1 << 17];
    if (!strcmp(of, "content")) {
        char *text = NULL, *error = NULL;
        size_t length = (size_t)atoll(strstr(line, "\"length\": ") + 10);
        for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i % 251);
        portbook_code code = portbook_content_hash(bytes, length, &text, &error);
        return says(code, text, error, field("hash", hash));
    }
    size_t length = field("hex", hex) ? bytes_of(hex, bytes) : 0;
    const char *as_shown = field("shown", shown), *as_written = field("written", written);
    if (!strcmp(of, "path")) return shows_path(bytes, length, as_shown) && reads_path(as_shown, bytes, length);
    if (!strcmp(of, "no path")) return shows_path(bytes, length, NULL);
    if (!strcmp(of, "not shown")) return reads_path(as_shown, NULL, 0);
    if (!strcmp(of, "address")) return shows_address(as_written, as_shown) && shows_address(as_shown, as_shown);
    if (!strcmp(of, "no address")) return shows_address(as_written, NULL);
    return 0;
}

int main(int count, char **arguments) {
    FILE *file = count == 3 ? fopen(arguments[2], "r") : NULL;
    if (!file) return 2;
    int vectors = 0, wrong = 0;
    char of[64];
    while (fgets(line, sizeof line, file)) {
        if (!field("of", of)) continue;
        vectors++;
        if (!holds(of)) printf("%s", line), wrong++;
    }
    fclose(file);
    puts(wrong || vectors < 70 ? "wrong" : "ok");
    return wrong || vectors < 70;
}
