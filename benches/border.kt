/**
 * The same as border.rs, in Kotlin: BorderKt DIR, where border.rs was before. The last line is a JSON object. `--version` instead of
 * DIR asks for the version and ends, which is what loading the library takes, and `--nothing` ends at once.
 *
 * Compiled with the tests of bindings/kotlin; benches/run runs it with the jar.
 */

package dev.portbook.benches

import dev.portbook.*
import java.io.File
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

private const val ROUNDS = 5
private const val CALLS = 1000

private inline fun seconds(of: () -> Unit): Double {
    val begun = System.nanoTime()
    of()
    return (System.nanoTime() - begun) / 1e9
}

/** The seconds of the fastest of some rounds. */
private inline fun best(of: () -> Unit): Double = (1..ROUNDS).minOf { seconds(of) }

/** Microseconds of one call. */
private inline fun each(call: () -> Unit): Double = best { repeat(CALLS) { call() } } / CALLS * 1e6

/** Directories within directories, and nothing in them. */
private class Empty : HostFiles {
    val asked = AtomicInteger()

    override suspend fun look(path: String) = HostEntry(path.substringAfterLast('/'), HostKind.DIR)

    override suspend fun listDir(path: String, after: String?): HostAnswer.Listing {
        asked.incrementAndGet()
        val names = if (path.count { it == '/' } > 1) listOf() else (0..9).map { "$it" }
        return HostAnswer.Listing(names.map { HostEntry(it, HostKind.DIR) }, null)
    }

    override suspend fun readAt(path: String, offset: Long, length: Long): ByteArray? = null
}

private suspend fun measured(book: Book, root: File): Map<String, Double> {
    val figures = linkedMapOf<String, Double>()
    fun place(name: String) = Place.Directory(File(root, name).path)
    val session = book.defaultSession()
    val preview = session.preview(File(root, "preview").readText())
    val items = preview.summary().items
    var bytes = 0L
    figures["changes_per_s"] = items / best {
        var after: String? = null
        do {
            val page = preview.changes(ChangeFilter(), after, 1000u)
            for (change in page.changes) bytes += change.bytes ?: 0
            after = page.next
        } while (after != null)
    }
    figures["changes_one_by_one_per_s"] = items / best { preview.eachChange().collect { bytes += it.bytes ?: 0 } }
    figures["call_us"] = each { preview.summary() }
    figures["call_at_once_us"] = each { preview.id() }
    // Runs of the same files into new directories: with their events read, and without.
    for (isRead in listOf(true, false)) {
        val name = if (isRead) "events_read" else "events_unread"
        val run = session.connect(place("source"), place("kotlin-$name")).sync()
        var events = 0
        var carried = 0L
        val taken = seconds {
            if (isRead) run.events().collect { events += if (it is RunEvent.Applied) it.items.size else 1 }
            carried = run.finish().counts.new
        }
        figures["run_items_per_s_$name"] = carried / taken
        if (isRead) figures["events_per_s"] = events / taken
    }
    // What one request to a host's own files costs: asked, pulled, answered.
    val store = session.hostStore("empty", HostOptions(readOnly = true))
    val empty = Empty()
    coroutineScope {
        launch { store.serve(empty) }
        val conduit = session.connect(Place.Host("empty"), place("kotlin-from-host"))
        figures["host_requests_per_s"] = seconds { conduit.preview() }.let { empty.asked.get() / it }
        store.shutdown()
    }
    return figures
}

fun main(args: Array<String>) {
    when (args.firstOrNull()) {
        "--nothing" -> return
        "--version" -> return version().let { }
    }
    val root = File(args[0])
    val figures = runBlocking { Book.open(BookOptions(path = File(root, "book.db").path)).useThenShutdown { measured(it, root) } }
    println(figures.entries.joinToString(prefix = "{", postfix = "}") { (name, value) -> "\"kotlin_$name\": $value" })
}
