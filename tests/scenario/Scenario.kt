/** The story that every language tells: it prints the lines of expected.txt. The argument is an empty directory. */

package dev.portbook.scenario

import dev.portbook.*
import java.io.File
import java.io.PrintStream
import java.math.BigDecimal
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

private val SHELF = Place.Host("shelf")

/** Prints the code of a call that fails. */
private inline fun refused(what: String, call: () -> Unit) {
    try {
        call()
    } catch (error: PortbookException) {
        println("$what: ${error.code.text}")
    }
}

/** Prints the outcome of a run. */
private suspend fun outcome(what: String, run: Run) = refused(what) {
    val report = run.finish()
    val counts = "new ${report.counts.new}, updated ${report.counts.updated}, failed ${report.counts.failed}"
    println("$what: $counts, cancelled ${report.cancelled}, in step ${report.isInStep}")
}

/** The host's own files: one directory in memory. */
private class Shelf : HostFiles {
    val files = sortedMapOf<String, ByteArray>()
    var isFull = false
    var cancels: Run? = null // cancelled at the next request

    private fun entry(path: String): HostEntry? {
        if (path.isEmpty()) return HostEntry("", HostKind.DIR)
        return files[path]?.let { HostEntry(path, HostKind.FILE, bytes = it.size.toLong(), version = "1") }
    }

    override suspend fun listDir(path: String, after: String?): HostAnswer.Listing {
        cancels?.cancel()
        return HostAnswer.Listing(files.keys.mapNotNull(::entry), null)
    }

    override suspend fun look(path: String): HostEntry? {
        cancels?.cancel()
        return entry(path)
    }

    override suspend fun readAt(path: String, offset: Long, length: Long): ByteArray? =
        files[path]?.let { it.copyOfRange(offset.toInt(), minOf(it.size, (offset + length).toInt())) }

    override suspend fun writeAt(path: String, offset: Long, bytes: ByteArray) {
        if (isFull) throw PortbookException.Quota("the shelf is full")
        files[path] = if (offset == 0L) bytes else files.getValue(path) + bytes
    }

    override suspend fun makeDir(path: String) {}

    override suspend fun rename(path: String, to: String, replace: Boolean) {
        files[to] = files.remove(path)!!
    }

    override suspend fun removeItem(path: String) {
        files.remove(path)
    }
}

/** The host's own tables: rows in memory, each a JSON object. */
private class Shop : RecordSource {
    val orders = sortedMapOf<Int, String>()
    val copies = sortedMapOf<Int, String>()
    var isFull = false
    var hasNotes = false

    private fun rows(table: String) = if (table == "orders") orders else copies

    override suspend fun describe(table: String): HostTable {
        val kinds = mutableListOf("id" to DatumKind.INTEGER, "name" to DatumKind.TEXT, "price" to DatumKind.DECIMAL)
        if (hasNotes && table == "copies") kinds.add("note" to DatumKind.TEXT)
        return HostTable(kinds.map { (name, kind) -> HostColumn(name, kind) }, key = listOf("id"))
    }

    override suspend fun scan(table: String, columns: List<String>, after: String?, limit: Long) =
        RecordAnswer.Rows(rows(table).values.toList(), null)

    override suspend fun insert(table: String, key: List<String>, rows: List<String>): List<WrittenRow>? {
        if (isFull) throw PortbookException.Quota("the shop is full")
        for (row in rows) rows(table).merge(field(row, "id").toInt(), row, ::changed)
        return null
    }

    override suspend fun update(table: String, key: List<String>, rows: List<String>) = insert(table, key, rows)

    fun order(id: Int, name: String, price: Any?) {
        orders[id] = row("id" to id, "name" to name, "price" to price)
    }
}

/** A row with the columns that are given. */
private fun changed(row: String, given: String) = listOf("id", "name", "price").joinToString(",", "{", "}") { name ->
    val column = Regex("\"$name\":(\"[^\"]*\"|[^,}]*)")
    (column.find(given) ?: column.find(row))!!.value
}

/** What stands at a field of a row: enough of a parser for what is printed here. */
private fun field(row: String, name: String) = Regex("\"$name\":\"?([^\",}]*)").find(row)!!.groupValues[1]

fun main(args: Array<String>): Unit = runBlocking {
    System.setOut(PrintStream(System.out, true, Charsets.UTF_8))
    val dir = File(args[0])
    fun place(name: String) = Place.Directory(File(dir, name).path)
    File(dir, "source").mkdir()
    File(dir, "source/a.txt").writeText("one")
    File(dir, "source/b.txt").writeText("three")
    File(dir, "source/ö 日本.txt").writeText("seven77")

    // The codes are the same everywhere.
    println("codes: " + codes().joinToString(" ") { it.text })

    // Books that cannot be opened.
    val path = File(dir, "book.db").path
    refused("open nothing") { Book.open(BookOptions()) }
    val text = "this is a text, and longer than the header of a database, so that nobody takes it for a new one"
    File(dir, "no.book").writeText(text)
    refused("open a text") { Book.open(BookOptions(path = File(dir, "no.book").path)) }
    refused("open with 2^53 bytes") { Book.open(BookOptions(path = path, memoryBytes = 1L shl 53)) }
    val book = Book.open(BookOptions(path = path, memoryBytes = (1L shl 53) - 1))
    println("open with 2^53 - 1 bytes: ok")
    Book.open(BookOptions(path = path)).useThenShutdown { println("open it again: ok") }

    // What would change, and which of it is wanted.
    val session = book.defaultSession()
    var conduit = session.connect(place("source"), place("target"))
    val preview = conduit.preview()
    val summary = preview.summary()
    println("preview: new ${summary.counts.new}, bytes ${summary.bytes}")
    val changes = preview.eachChange().toList()
    for (change in changes) {
        val (kind, action) = change.kind.name.lowercase() to change.action.name.lowercase()
        println("change: $kind $action ${change.path}, bytes ${change.bytes}, moved from ${change.movedFrom}")
    }
    preview.tick(listOf(changes[0].id), false)

    // It is applied: the events in their order, then the outcome, twice.
    val run = conduit.apply(preview)
    run.events().collect { event ->
        when (event) {
            is RunEvent.Planned -> println("event: planned, new ${event.summary.counts.new}")
            is RunEvent.Applied -> event.items.forEach { println("event: applied ${it.path}, bytes ${it.bytes}") }
            else -> {}
        }
    }
    println("the outcome is told again: " + if (run.finish() == run.finish()) "yes" else "no")
    outcome("apply", run)
    outcome("apply it again", conduit.apply(preview))

    // What was not ticked is still to be done, and then nothing is.
    outcome("sync", conduit.sync())
    outcome("sync once more", conduit.sync())

    // Files that the host holds itself.
    val store = session.hostStore("shelf")
    refused("a second store of that key") { session.hostStore("shelf") }
    conduit = session.connect(place("source"), SHELF)
    val shelf = Shelf()
    shelf.cancels = conduit.sync()
    val serving = launch { store.serve(shelf) }
    outcome("sync to the host, cancelled", shelf.cancels!!)
    shelf.cancels = null
    shelf.isFull = true
    outcome("sync to a host that fails", conduit.sync())
    shelf.isFull = false
    outcome("sync to the host", conduit.sync())
    refused("an answer that nobody waits for") { store.reply(1, HostAnswer.Done) }
    store.shutdown()
    serving.join()
    for ((name, bytes) in shelf.files) println("the host holds $name: ${bytes.decodeToString()}")

    // Rows that the host holds itself.
    val (orders, copies) = listOf("orders", "copies").map { RecordPlace.Host("shop", it) }
    val shop = Shop()
    shop.order(1, "one", BigDecimal("1.50"))
    shop.order(2, "zwei", (1L shl 53) + 1)
    shop.order(3, "ö 日本", null)
    val tables = session.hostRecords("shop")
    refused("a second store of tables of that key") { session.hostRecords("shop") }
    val selling = launch { tables.serve(shop) }
    var definition = session.connectRecords(orders, copies)
    val previewed = definition.preview()
    println("preview of rows: new ${previewed.summary.counts.new}, of ${previewed.sourceRows}")
    val rows = definition.eachChange(previewed).toList()
    for (row in rows) println("row: ${row.kind.name.lowercase()} ${row.action.name.lowercase()} ${row.row}")
    definition.tick(previewed.summary.id, listOf(rows[0].id), false)
    outcome("apply rows", definition.apply(previewed))
    outcome("sync rows", definition.sync())
    outcome("sync rows once more", definition.sync())
    shop.order(2, "two", (1L shl 53) + 1)
    outcome("sync rows, one changed", definition.sync())
    shop.order(1, "one", true)
    outcome("sync rows, one of another kind", definition.sync())
    shop.order(1, "uno", BigDecimal("1.50"))
    shop.isFull = true
    outcome("sync rows to a host that fails", definition.sync())
    shop.order(1, "one", BigDecimal("1.50"))
    println("verify rows: ${definition.verify().status.name.lowercase()}")
    for ((id, row) in shop.copies) println("the host holds row $id: ${field(row, "name")}, ${field(row, "price")}")

    // A row that both sides have changed waits for a person, who takes something of both.
    definition = session.connectRecords(orders, copies, RecordOptions(mode = RecordMode.TWO_WAY, policy = RecordPolicy.MANUAL))
    shop.order(3, "drei", null)
    shop.copies[3] = row("id" to 3, "name" to "ö 日本", "price" to 3)
    shop.isFull = false
    outcome("sync rows, one changed on both sides", definition.sync())
    val met = definition.conflicts(null, 1000u).single()
    println("conflict: row ${met.row}, at source ${met.isAtSource}, at target ${met.isAtTarget}")
    for (field in definition.inspectConflict(met.id).fields) {
        if (!field.isSame) println("field: ${field.target}, ${field.sourceValue} at the source, ${field.targetValue} at the target")
    }
    val choice = RowChoice.Merge(listOf("price"))
    refused("decide about what was not seen") { definition.resolveConflict(met.id, "0", choice) }
    definition.resolveConflict(met.id, met.mark, choice)
    definition.eachChange(definition.preview()).collect { row ->
        println("row: ${row.kind.name.lowercase()} ${row.action.name.lowercase()} ${row.row}")
    }
    outcome("sync rows, as decided", definition.sync())
    println("conflicts that wait: ${definition.eachConflict().toList().size}")
    val (mine, theirs) = listOf(shop.orders, shop.copies).map { field(it.getValue(3), "name") to field(it.getValue(3), "price") }
    if (mine == theirs) println("both hold row 3: ${mine.first}, ${mine.second}")

    // What has changed about a table is told until a run has gone over it.
    shop.hasNotes = true
    for (drift in definition.drift()) {
        val (side, kind) = drift.side.name.lowercase() to drift.change.kind.name.lowercase()
        println("drift: $side $kind ${drift.change.name}, ${drift.effect.name.lowercase()}")
    }
    outcome("sync rows, with a column more", definition.sync())
    println("drift that is left: ${definition.drift().size}")
    tables.shutdown()
    selling.join()

    // What is not there, and what has ended.
    refused("a preview that is not there") { session.preview("00000000-0000-0000-0000-000000000000") }
    refused("a store that has ended") { session.connect(SHELF, place("target")) }
    refused("tables of a store that has ended") { session.connectRecords(orders, copies) }
    book.shutdown()
    book.shutdown()
    println("shutdown, twice: ok")
    refused("use after shutdown") { session.history(1u) }
}
