package dev.portbook

import java.util.concurrent.ConcurrentSkipListMap
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

/** Holds files in memory, and makes the tested library panic in what it answers (the feature `fault`). */
private class Panicking : HostFiles {
    enum class At { NOTHING, ROOT, LIST, ITEM }

    // Files arrive beside each other, on the threads of the dispatcher.
    @Volatile
    var broken = At.NOTHING
    private val files = ConcurrentSkipListMap<String, ByteArray>()

    private fun panic() = HostEntry("panic!", HostKind.DIR)

    override suspend fun look(path: String): HostEntry? = when {
        path.isEmpty() -> if (broken == At.ROOT) panic() else HostEntry("", HostKind.DIR)
        broken == At.ITEM -> panic()
        else -> files[path]?.let { HostEntry(path, HostKind.FILE, bytes = it.size.toLong(), version = "1") }
    }

    override suspend fun listDir(path: String, after: String?) =
        HostAnswer.Listing(if (broken == At.LIST) listOf(panic()) else listOf(), null)

    override suspend fun readAt(path: String, offset: Long, length: Long): ByteArray? = null

    override suspend fun writeAt(path: String, offset: Long, bytes: ByteArray) {
        files[path] = bytes
    }

    override suspend fun rename(path: String, to: String, replace: Boolean) {
        files[to] = files.remove(path)!!
    }

    override suspend fun removeItem(path: String) {
        files.remove(path)
    }
}

class PanicTest {
    @Test
    fun `a panic is told as internal, and ends nothing but its call`() = world {
        // At once, while the call is awaited, and on the book's own threads: in the call, in what it began, and in what a run does.
        fails(ErrorCode.INTERNAL) { session.hostStore("panic!") }
        fails(ErrorCode.INTERNAL) { session.volume("panic!") }
        val files = Panicking()
        val store = session.hostStore("shelf")
        coroutineScope {
            launch { store.serve(files) }
            val conduit = session.connect(source, SHELF)
            for (broken in listOf(Panicking.At.ROOT, Panicking.At.LIST)) {
                files.broken = broken
                fails(ErrorCode.INTERNAL, "$broken") { conduit.preview() }
            }
            for (broken in listOf(Panicking.At.ROOT, Panicking.At.LIST, Panicking.At.ITEM)) {
                files.broken = broken
                fails(ErrorCode.INTERNAL, "$broken") { conduit.sync().finish() }
            }
            files.broken = Panicking.At.NOTHING
            assertEquals(3, conduit.sync().finish().counts.new)
            store.shutdown()
        }
    }
}
