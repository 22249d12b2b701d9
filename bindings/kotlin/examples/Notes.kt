/** Files that only this program knows, carried to a directory: Notes BOOK TARGET */

package dev.portbook.examples

import dev.portbook.*
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/** Notes in memory. What is only read needs three methods. */
private class Notes(private val texts: Map<String, String>) : HostFiles {
    override suspend fun look(path: String): HostEntry? =
        if (path.isEmpty()) HostEntry("", HostKind.DIR)
        else texts[path]?.let { HostEntry(path, HostKind.FILE, bytes = it.encodeToByteArray().size.toLong(), version = it) }

    override suspend fun listDir(path: String, after: String?): HostAnswer.Listing? =
        if (path.isEmpty()) HostAnswer.Listing(texts.keys.mapNotNull { look(it) }, next = null) else null

    override suspend fun readAt(path: String, offset: Long, length: Long): ByteArray? =
        texts[path]?.encodeToByteArray()?.let { it.copyOfRange(offset.toInt(), minOf(it.size, (offset + length).toInt())) }
}

fun main(args: Array<String>): Unit = runBlocking {
    Book.open(BookOptions(path = args[0])).useThenShutdown { book ->
        val session = book.defaultSession()
        val store = session.hostStore("notes", HostOptions(readOnly = true))
        coroutineScope {
            launch { store.serve(Notes(mapOf("today" to "buy bread", "tomorrow" to "eat it"))) }
            val conduit = session.connect(Place.Host("notes"), Place.Directory(args[1]))
            println(conduit.sync().finish().counts)
            store.shutdown() // which ends the serving
        }
    }
}
