#!/bin/sh
# Writes the calls of border.c: what each number of calls.txt calls, with its operands read in the order of its parameters, and
# the texts of texts.txt.
#
#   calls.sh portbook.h > calls.inc
#
# Fails when the header has a function that calls.txt has not: it is to be appended there.

here=$(dirname "$0")

awk 'BEGIN { print "static const char *known_text(unsigned number) {\n    static const char *const texts[] = {" }
    { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); printf "        \"%s\",\n", $0 }
    END { print "    };\n    return number < sizeof texts / sizeof *texts ? texts[number] : \"\";\n}\n" }' "$here/texts.txt"

# One declaration a line, comments left out.
sed -e 's|//.*||' "$1" | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n 's/^.*\(portbook_code\|void\|const char \*\|uint32_t\) *\(portbook_[a-z_]*\)(\(.*\)) *$/\1|\2|\3/p' |
    awk -F '|' -v known="$here/calls.txt" '
        BEGIN {
            while ((getline name < known) > 0) number[name] = count++
            # Given back by the harness itself, or nothing to be done wrong with.
            split("portbook_text_free portbook_bytes_free portbook_abi_version portbook_version", own, " ")
            for (i in own) left[own[i]] = 1
            print "static void call(struct program *p, int number) {\n    switch (number) {"
        }
        left[$2] { next }
        !($2 in number) { print "calls.txt has no " $2 > "/dev/stderr"; failed = 1; next }
        {
            print "    case " number[$2] ": {"
            taken = split($3, parameters, ",")
            passed = after = ""
            has_outputs = has_error = is_free = 0
            if ($2 ~ /_free$/) is_free = 1
            for (i = 1; i <= taken; i++) {
                p = parameters[i]
                gsub(/^ +| +$/, "", p)
                name = p
                sub(/^.*[ *]/, "", name)
                type = p
                sub(/^const /, "", type)
                sub(/ .*$/, "", type)
                if (p ~ /\*\*error$/) { has_error = 1; a = "p->no_error ? NULL : &error" }
                else if (p ~ /char \*\*/) { out("char *text_out = POISON", "text_out", "took_text(p, became, text_out)"); a = given }
                else if (p ~ /uint8_t \*\*/) { out("uint8_t *bytes_out = POISON", "bytes_out", ""); a = given }
                else if (p ~ /size_t \*/) { out("size_t length_out = 7", "length_out", "took_bytes(p, became, bytes_out, length_out)"); a = given }
                else if (p ~ /int64_t \*/) { out("int64_t number_out = 7", "number_out", "took_number(p, became, number_out)"); a = given }
                else if (p ~ /portbook_[a-z_]+ \*\*/) {
                    out(type " *handle_out = POISON", "handle_out", "took_handle(p, became, handle_out, T_" type ")"); a = given
                }
                else if (p ~ /portbook_[a-z_]+ \*/) {
                    print "        struct taken " name " = handle(p, T_" type ");"; a = name ".handle"
                }
                else if (p ~ /const char \*/) { print "        const char *" name " = text(p);"; a = name }
                else if (p ~ /const uint8_t \*/) { print "        struct piece " name " = piece(p);"; a = name ".bytes" }
                else if (type == "size_t") a = "bytes.length"
                else { print "        " type " " name " = (" type ")number_of(p);"; a = name }
                passed = passed (i > 1 ? ", " : "") a
            }
            if (has_error) print "        char *error = NULL;"
            print "        begin(p, \"" $2 "\");"
            if ($1 == "void") {
                print "        " $2 "(" passed ");\n        done(p);"
                if (is_free) print "        freed(p, " name ", T_" type ");"
            } else if ($1 == "portbook_code") {
                print "        portbook_code became = " $2 "(" passed ");\n        done(p);"
                print "        judge(p, became, error, " has_outputs ");"
            } else {
                print "        const char *text = " $2 "(" passed ");\n        done(p);\n        if (text && !*text) fail(p, \"an empty text\");"
            }
            printf "%s", after
            print "        return;\n    }"
        }
        END { print "    default: return;\n    }\n}"; exit failed }
        function out(declared, variable, taker) {
            has_outputs = 1
            print "        " declared ";"
            given = "p->no_outputs ? NULL : &" variable
            if (taker) after = after "        if (!p->no_outputs) " taker ";\n"
        }
    '
