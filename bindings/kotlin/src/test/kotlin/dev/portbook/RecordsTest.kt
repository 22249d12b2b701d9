package dev.portbook

import java.math.BigDecimal
import java.time.Instant
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.util.UUID
import java.util.concurrent.ConcurrentSkipListMap
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.count
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val SHOP = RecordPlace.Host("shop", "orders")
private val COPY = RecordPlace.Host("copy", "orders")
private val ORDERS = HostTable(listOf(HostColumn("id", DatumKind.INTEGER), HostColumn("name", DatumKind.TEXT)), key = listOf("id"))

private fun order(id: Int, name: Any?) = row("id" to id, "name" to name)

private fun idOf(row: String) = Regex("\"id\":(\\d+)").find(row)!!.groupValues[1].toInt()

/** Rows in memory, each a JSON object. */
private open class Rows(val table: HostTable = ORDERS) : RecordSource {
    val rows = ConcurrentSkipListMap<Int, String>()
    @Volatile
    var log = listOf<Int>()

    fun put(vararg given: String) = apply { given.forEach { rows[idOf(it)] = it } }

    override suspend fun describe(table: String) = if (table == "orders") this.table else null

    override suspend fun scan(table: String, columns: List<String>, after: String?, limit: Long): RecordAnswer.Rows {
        val page = rows.tailMap(after?.toInt() ?: Int.MIN_VALUE, false).entries.take(limit.toInt())
        val last = page.lastOrNull()?.key?.takeIf { page.size == limit.toInt() }
        return RecordAnswer.Rows(page.map { it.value }, last?.toString())
    }

    override suspend fun fetch(table: String, columns: List<String>, keys: List<String>) = keys.mapNotNull { rows[idOf(it)] }

    override suspend fun changes(table: String, columns: List<String>, since: String?, after: String?, limit: Long): RecordAnswer.Changes {
        val changed = if (since == null) rows.keys.toList() else log.drop(since.toInt())
        val (kept, gone) = changed.partition { it in rows }
        return RecordAnswer.Changes(kept.map { rows.getValue(it) }, gone.map { row("id" to it) }, null, log.size.toString())
    }

    override suspend fun insert(table: String, key: List<String>, rows: List<String>) = rows.map { row ->
        val met = this.rows.putIfAbsent(idOf(row), row)
        WrittenRow(if (met == null) WriteOutcome.WRITTEN else WriteOutcome.EXISTS)
    }

    override suspend fun update(table: String, key: List<String>, rows: List<String>): List<WrittenRow>? {
        put(*rows.toTypedArray())
        return null
    }

    override suspend fun delete(table: String, keys: List<String>): List<WrittenRow>? {
        keys.forEach { rows.remove(idOf(it)) }
        return null
    }
}

/** Answers a scan with what it is told. */
private class Told(val answer: suspend () -> RecordAnswer.Rows) : Rows() {
    override suspend fun scan(table: String, columns: List<String>, after: String?, limit: Long) = answer()
}

/** Serves both, and ends them after the block. */
private suspend fun World.served(source: RecordSource, target: RecordSource, block: suspend () -> Unit) = coroutineScope {
    val stores = listOf(session.hostRecords("shop", HostRecordOptions(hasChanges = true)) to source, session.hostRecords("copy") to target)
    stores.forEach { (store, rows) -> launch { store.serve(rows) } }
    try {
        block()
    } finally {
        stores.forEach { (store, _) -> store.shutdown() }
    }
}

class RecordsTest {
    @Test
    fun `rows that only the host knows are previewed and applied`() = world {
        val (source, target) = Rows() to Rows()
        repeat(500) { source.put(order(it, "new")) }
        served(source, target) {
            val definition = session.connectRecords(SHOP, COPY)
            val preview = definition.preview()
            assertEquals(500, preview.summary.counts.new)
            assertEquals(preview, definition.storedPreview(preview.summary.id))
            assertEquals(500, definition.eachChange(preview, ChangeKind.NEW).count())
            val first = definition.changes(preview.summary.id, null, null, 1u).rows[0]
            assertEquals(RowAction.INSERT, first.action)
            definition.tick(preview.summary.id, listOf(first.id), false)
            assertEquals(499, definition.apply(preview).finish().counts.new)
            assertEquals(1, definition.sync().finish().counts.new)
            source.rows.remove(7)
            source.put(order(8, "paid"))
            val counts = definition.sync().finish().counts
            assertEquals(listOf(1L, 1L, 0L), listOf(counts.updated, counts.deleted, counts.failed))
            assertEquals(source.rows, target.rows)
            assertEquals(ReconcileStatus.MATCH, definition.verify().status)
            assertEquals(definition.id(), session.records(SHOP, COPY).id())
        }
    }

    @Test
    fun `values of Kotlin go both ways`() = world {
        val fields = listOf(
            "id" to DatumKind.INTEGER to 1, "flag" to DatumKind.BOOLEAN to true, "large" to DatumKind.INTEGER to Long.MAX_VALUE,
            "price" to DatumKind.DECIMAL to BigDecimal("1.50"), "ratio" to DatumKind.FLOAT to Double.NaN,
            "name" to DatumKind.TEXT to "ö \"\\\n 日本\u0000", "bytes" to DatumKind.BYTES to byteArrayOf(0, -1),
            "uuid" to DatumKind.UUID to UUID(0, 7), "day" to DatumKind.DATE to LocalDate.of(2024, 2, 29),
            "clock" to DatumKind.TIME to LocalTime.of(23, 59), "wall" to DatumKind.TIMESTAMP to LocalDateTime.of(2026, 10, 25, 2, 30),
            "at" to DatumKind.INSTANT to Instant.parse("2026-10-25T00:00:00.5Z"), "document" to DatumKind.JSON to mapOf("a" to listOf(1, null)),
        )
        val table = HostTable(fields.map { (column, _) -> HostColumn(column.first, column.second) }, key = listOf("id"))
        val (source, target) = Rows(table) to Rows(table)
        source.put(row(*fields.map { (column, value) -> column.first to value }.toTypedArray()))
        source.put(row(*fields.map { (column, _) -> column.first to if (column.first == "id") 2 else null }.toTypedArray()))
        served(source, target) {
            val definition = session.connectRecords(SHOP, COPY, RecordOptions(mode = RecordMode.TWO_WAY))
            val report = definition.sync().finish()
            assertEquals(listOf<ItemFailure>(), report.failures)
            assertEquals(2, report.counts.new)
            val told = target.rows.getValue(1)
            for (part in listOf("\"9223372036854775807\"", "\"1.5\"", "\"NaN\"", "\"AP8=\"", "\"23:59:00\"", "\"2026-10-25T00:00:00.5Z\"")) {
                assertTrue(part in told, "$part: $told")
            }
            assertEquals(2, definition.sync().finish().counts.unchanged)
        }
    }

    @Test
    fun `only what has changed is asked for`() = world {
        val (source, target) = Rows() to Rows()
        repeat(100) { source.put(order(it, "new")) }
        served(source, target) {
            val definition = session.connectRecords(SHOP, COPY, RecordOptions(cursor = RecordCursor.Log))
            assertEquals(100, definition.sync().finish().counts.new)
            source.put(order(5, "paid"))
            source.rows.remove(6)
            source.log = listOf(5, 6)
            assertEquals(1, definition.preview().sourceRows)
            val counts = definition.sync().finish().counts
            assertEquals(1L to 1L, counts.updated to counts.deleted)
            assertEquals(source.rows, target.rows)
        }
    }

    @Test
    fun `what a host throws, and what does not fit, has its code`() = world {
        val many = List(1001) { order(it, "") }
        for ((answer, code) in listOf<Pair<suspend () -> RecordAnswer.Rows, ErrorCode>>(
            suspend { throw IllegalStateException("broken") } to ErrorCode.HOST,
            suspend { throw PortbookException.Quota("no space") } to ErrorCode.QUOTA,
            suspend { throw PortbookException.Internal("of another book") } to ErrorCode.HOST,
            suspend { RecordAnswer.Rows(listOf(order(1, Any())), null) } to ErrorCode.INVALID,
            suspend { RecordAnswer.Rows(listOf(order(1, LONE)), null) } to ErrorCode.INVALID,
            suspend { RecordAnswer.Rows(many, null) } to ErrorCode.HOST,
            suspend { RecordAnswer.Rows(listOf(), "1") } to ErrorCode.HOST,
            suspend { RecordAnswer.Rows(listOf(order(1, "")), "1") } to ErrorCode.HOST,
            suspend { RecordAnswer.Rows(listOf("[]"), null) } to ErrorCode.HOST,
        )) {
            var definition: Definition? = null
            served(Told(answer), Rows()) {
                definition = session.connectRecords(SHOP, COPY)
                fails(code) { definition!!.preview() }
            }
            fails(ErrorCode.HOST) { definition!!.preview() }
            fails(ErrorCode.NOT_FOUND) { session.connectRecords(SHOP, COPY) }
        }
    }

    @Test
    fun `a row with a value that is none fails alone`() {
        for (wrong in listOf(order(3, 7), row("id" to 3), order(3, listOf("x")))) world {
            served(Rows().put(order(1, "one"), wrong), Rows().put(order(3, "of another"))) {
                val report = session.connectRecords(SHOP, COPY).sync().finish()
                assertEquals(1L to 1L, report.counts.new to report.counts.failed)
                assertEquals("3" to ErrorCode.HOST, report.failures[0].path to report.failures[0].code)
            }
        }
    }

    @Test
    fun `a host that never answers, or comes too late`() = world {
        val store = session.hostRecords("shop", HostRecordOptions(timeoutMs = 100))
        fails(ErrorCode.TIMEOUT) { session.inspectTable(SHOP) }
        fails(ErrorCode.NOT_FOUND) { store.reply(1, RecordAnswer.Done) }
        fails(ErrorCode.INVALID) { store.fail(1, LONE, null) }
        fails(ErrorCode.CONFLICT) { session.hostRecords("shop") }
        fails(ErrorCode.INVALID) { session.hostRecords("") }
        fails(ErrorCode.INTERNAL) { session.hostRecords("panic!") }
        store.shutdown()
        fails(ErrorCode.NOT_FOUND) { session.inspectTable(SHOP) }
        fails(ErrorCode.INVALID) { session.inspectDatabase("postgres://me:hush@localhost/shop") }
        fails(ErrorCode.NOT_FOUND) { session.definition("00000000-0000-0000-0000-000000000000") }
    }
}
