package dev.portbook

import java.math.BigDecimal
import java.math.BigInteger
import java.time.temporal.Temporal
import java.util.Base64
import java.util.UUID
import kotlinx.coroutines.coroutineScope

/**
 * Tables that a host holds: what each request asks for is said at [RecordRequest]. A source needs the first two. Rows and keys are JSON
 * objects, as [row] makes them. Methods run beside each other, on as many threads as the dispatcher of [serve] has.
 */
interface RecordSource {
    /** What a table looks like; null when there is none. */
    suspend fun describe(table: String): HostTable?

    /** A page of all rows, of [limit] at most, which begins `after` the place where the page before ended. */
    suspend fun scan(table: String, columns: List<String>, after: String?, limit: Long): RecordAnswer.Rows

    /** The rows with these keys; those that are not there are left out. Without it all rows are read instead. */
    suspend fun fetch(table: String, columns: List<String>, keys: List<String>): List<String> = cannot("look rows up by their keys")

    /** A page of what has changed since that cursor; of all rows without one. Only asked of a store that `hasChanges`. */
    suspend fun changes(table: String, columns: List<String>, since: String?, after: String?, limit: Long): RecordAnswer.Changes =
        cannot("tell what has changed")

    /** Makes rows. Null when all are written, else what became of each; one whose key is there already `EXISTS`. */
    suspend fun insert(table: String, key: List<String>, rows: List<String>): List<WrittenRow>? = cannot("make rows")

    /** Changes rows, found by the columns of the key, in the columns that are given; one that is not there is `GONE`. */
    suspend fun update(table: String, key: List<String>, rows: List<String>): List<WrittenRow>? = cannot("change rows")

    /** Takes rows out. */
    suspend fun delete(table: String, keys: List<String>): List<WrittenRow>? = cannot("take rows out")
}

/**
 * Answers every request from this source, beside each other, until the store ends. What a method throws is the answer: with the code
 * of a [PortbookException], and `host` otherwise.
 */
suspend fun HostRecords.serve(source: RecordSource): Unit = coroutineScope {
    while (true) {
        val request = nextRequest() ?: break
        answering({ reason, code -> fail(request.id, reason, code) }) { reply(request.id, answer(request, source)) }
    }
}

/** Names the request. */
val RecordRequest.id: Long
    get() = when (this) {
        is RecordRequest.Describe -> id
        is RecordRequest.Scan -> id
        is RecordRequest.Fetch -> id
        is RecordRequest.Changes -> id
        is RecordRequest.Insert -> id
        is RecordRequest.Update -> id
        is RecordRequest.Delete -> id
    }

private suspend fun answer(request: RecordRequest, source: RecordSource): RecordAnswer = when (request) {
    is RecordRequest.Describe -> source.describe(request.table)?.let(RecordAnswer::Described) ?: RecordAnswer.Absent
    is RecordRequest.Scan -> source.scan(request.table, request.columns, request.after, request.limit)
    is RecordRequest.Fetch -> RecordAnswer.Rows(source.fetch(request.table, request.columns, request.keys), null)
    is RecordRequest.Changes -> source.changes(request.table, request.columns, request.since, request.after, request.limit)
    is RecordRequest.Insert -> written(source.insert(request.table, request.key, request.rows))
    is RecordRequest.Update -> written(source.update(request.table, request.key, request.rows))
    is RecordRequest.Delete -> written(source.delete(request.table, request.keys))
}

private fun written(outcomes: List<WrittenRow>?): RecordAnswer = outcomes?.let(RecordAnswer::Written) ?: RecordAnswer.Done

/**
 * A row as the library reads it, by the names of its columns. Values are those of Kotlin and Java: numbers, texts, truth values, bytes,
 * times of `java.time`, UUIDs, lists, sets, maps, and null.
 */
fun row(vararg fields: Pair<String, Any?>): String = StringBuilder().also { it.members(fields.asIterable()) }.toString()

private const val MOST = 9007199254740991L

private fun StringBuilder.members(fields: Iterable<Pair<*, *>>) {
    append('{')
    fields.forEachIndexed { at, (name, value) ->
        if (at > 0) append(',')
        text(name.toString())
        append(':')
        json(value)
    }
    append('}')
}

private fun StringBuilder.json(value: Any?) {
    when (value) {
        null, is Boolean -> append(value)
        is Byte, is Short, is Int -> append(value)
        is Long -> if (value in -MOST..MOST) append(value) else text(value.toString())
        // What JSON has no number for is text.
        is Double -> if (value.isFinite()) append(value) else text(value.toString())
        is Float -> if (value.isFinite()) append(value) else text(value.toString())
        is BigInteger -> text(value.toString())
        is BigDecimal -> text(value.toPlainString())
        is CharSequence, is Temporal, is UUID -> text(value.toString())
        is ByteArray -> text(Base64.getEncoder().encodeToString(value))
        is Map<*, *> -> members(value.entries.map { it.key to it.value })
        is Iterable<*> -> {
            append('[')
            value.forEachIndexed { at, member ->
                if (at > 0) append(',')
                json(member)
            }
            append(']')
        }
        else -> throw PortbookException.Invalid("a ${value.javaClass.simpleName} is nothing that a row can hold")
    }
}

private fun StringBuilder.text(text: String) {
    append('"')
    for (c in text) when {
        c == '"' || c == '\\' -> append('\\').append(c)
        c < ' ' -> append("\\u%04x".format(c.code))
        else -> append(c)
    }
    append('"')
}
