package dev.portbook

import java.io.File
import java.io.RandomAccessFile
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.time.Instant
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** A directory of this machine, served by hand. */
private class Served(val root: File) : HostFiles {
    fun at(path: String) = if (path.isEmpty()) root else File(root, path)

    override suspend fun look(path: String): HostEntry? {
        val file = at(path)
        if (file.isDirectory) return HostEntry(file.name, HostKind.DIR)
        if (!file.exists()) return null
        return HostEntry(file.name, HostKind.FILE, file.length(), Instant.ofEpochMilli(file.lastModified()).toString())
    }

    override suspend fun listDir(path: String, after: String?): HostAnswer.Listing? {
        val names = at(path).list() ?: return null
        return HostAnswer.Listing(names.mapNotNull { look(if (path.isEmpty()) it else "$path/$it") }, null)
    }

    override suspend fun readAt(path: String, offset: Long, length: Long): ByteArray? {
        if (!at(path).exists()) return null
        return RandomAccessFile(at(path), "r").use { file ->
            ByteArray(minOf(length, file.length() - offset).toInt()).also {
                file.seek(offset)
                file.readFully(it)
            }
        }
    }

    override suspend fun writeAt(path: String, offset: Long, bytes: ByteArray) {
        RandomAccessFile(at(path), "rw").use { file ->
            if (offset == 0L) file.setLength(0)
            file.seek(offset)
            file.write(bytes)
        }
    }

    override suspend fun makeDir(path: String) {
        at(path).mkdir()
    }

    override suspend fun rename(path: String, to: String, replace: Boolean) {
        if (!replace && at(to).exists()) throw PortbookException.Conflict("it is there")
        Files.move(at(path).toPath(), at(to).toPath(), StandardCopyOption.REPLACE_EXISTING)
    }

    override suspend fun removeItem(path: String) {
        at(path).delete()
    }
}

/** Nobody reads, everybody is asked the same. */
private open class Says(val answer: suspend () -> Nothing) : HostFiles {
    override suspend fun listDir(path: String, after: String?) = answer()
    override suspend fun look(path: String) = answer()
    override suspend fun readAt(path: String, offset: Long, length: Long) = answer()
}

class HostsTest {
    @Test
    fun `what a host serves is synced in both directions`() = world(many(50)) {
        at("source/large.bin").writeBytes(ByteArray(5 shl 20) { it.toByte() })
        at("served").mkdir()
        val store = session.hostStore("shelf", HostOptions(timePrecisionNs = 1_000_000, display = "the shelf"))
        coroutineScope {
            launch { store.serve(Served(at("served"))) }
            val conduit = session.connect(source, SHELF, ConduitOptions(mode = SyncMode.BIDIRECTIONAL))
            val report = conduit.sync().finish()
            assertEquals(listOf<ItemFailure>(), report.failures)
            assertEquals(51, report.counts.new)
            assertArrayEquals(at("source/large.bin").readBytes(), at("served/large.bin").readBytes())
            at("served/f1.txt").delete()
            assertEquals(1, conduit.sync().finish().counts.deleted)
            assertTrue(conduit.sync().finish().isInStep)
            store.shutdown()
            store.shutdown()
        }
    }

    @Test
    fun `a volume is on files of the host`() = world {
        at("served").mkdir()
        session.saveDirectory("shelf", at("served").path)
        val store = session.hostStore("shelf", HostOptions(timePrecisionNs = 1_000_000))
        coroutineScope {
            launch { store.serve(Served(at("served"))) }
            val volume = session.volumeOn("shelf", store)
            assertEquals(4, volume.put(NewFile(path = "a.txt"), "text".toByteArray()).size)
            store.shutdown()
        }
    }

    @Test
    fun `what a host throws is its answer`() = world {
        for ((thrown, code) in listOf(
            IllegalStateException("broken") to ErrorCode.HOST,
            PortbookException.Quota("no space") to ErrorCode.QUOTA,
            RuntimeException() to ErrorCode.HOST,
            RuntimeException("half a pair: $LONE") to ErrorCode.HOST,
            AssertionError("an error of the machine") to ErrorCode.HOST,
            kotlin.coroutines.cancellation.CancellationException("given up") to ErrorCode.HOST,
        )) {
            val store = session.hostStore("shelf")
            coroutineScope {
                launch { store.serve(Says { throw thrown }) }
                val conduit = session.connect(source, SHELF)
                val error = fails(code, "$thrown") { conduit.preview() }
                assertTrue(error.message!!.contains((thrown.message ?: "RuntimeException").substringBefore(LONE)), error.message)
                store.shutdown()
            }
        }
    }

    @Test
    fun `a host that answers nonsense, never, or leaves, has its code`() = world {
        val entry = HostEntry("", HostKind.FILE, bytes = 1, version = "1")
        for ((answer, code) in listOf(
            HostAnswer.Done to ErrorCode.HOST,
            HostAnswer.Listing(listOf(), null) to ErrorCode.HOST,
            HostAnswer.Found(entry.copy(bytes = -1)) to ErrorCode.HOST,
            HostAnswer.Found(entry.copy(version = null)) to ErrorCode.HOST,
            HostAnswer.Found(entry) to ErrorCode.NOT_FOUND,
            HostAnswer.Absent to ErrorCode.NOT_FOUND,
            null to ErrorCode.TIMEOUT,
        )) {
            val store = session.hostStore("shelf", HostOptions(timeoutMs = if (answer == null) 100 else 60_000))
            coroutineScope {
                val conduit = session.connect(source, SHELF)
                launch {
                    while (true) {
                        val request = store.nextRequest() ?: break
                        if (answer != null) store.reply(request.id, answer)
                    }
                }
                fails(code, "$answer") { conduit.preview() }
                fails(ErrorCode.NOT_FOUND) { store.reply(1, HostAnswer.Done) }
                fails(ErrorCode.NOT_FOUND) { store.bytes(1) }
                store.shutdown()
                fails(ErrorCode.HOST) { conduit.preview() }
            }
        }
    }

    @Test
    fun `a late answer is not found, and the next request is answered`() = world {
        val store = session.hostStore("shelf", HostOptions(timeoutMs = 200))
        coroutineScope {
            val conduit = session.connect(source, SHELF)
            val late = launch {
                val request = store.nextRequest()!!
                delay(600)
                fails(ErrorCode.NOT_FOUND) { store.reply(request.id, HostAnswer.Absent) }
            }
            fails(ErrorCode.TIMEOUT) { conduit.preview() }
            late.join()
            launch { store.serve(Says { throw PortbookException.Permission("no") }) }
            fails(ErrorCode.PERMISSION) { conduit.preview() }
            store.shutdown()
        }
    }

    @Test
    fun `serving that is cancelled answers what it has taken`() = world {
        val store = session.hostStore("shelf")
        val asked = CompletableDeferred<Unit>()
        coroutineScope {
            val serving = launch {
                store.serve(Says {
                    asked.complete(Unit)
                    awaitCancellation()
                })
            }
            val conduit = session.connect(source, SHELF)
            val failing = launch { fails(ErrorCode.HOST) { conduit.preview() } }
            asked.await()
            serving.cancelAndJoin()
            // Whoever serves next is asked what is asked next.
            val second = launch { store.serve(Says { throw IllegalStateException("second") }) }
            failing.join()
            store.shutdown()
            second.join()
        }
    }

    @Test
    fun `a book ends while a run waits for a host that says nothing`() = world {
        val store = session.hostStore("shelf")
        val run = session.connect(source, SHELF).sync()
        assertNotNull(store.nextRequest())
        book.shutdown()
        assertNull(store.nextRequest())
        try {
            assertTrue(run.finish().cancelled)
        } catch (error: PortbookException) {
            assertEquals(ErrorCode.HOST, error.code)
        }
    }

    @Test
    fun `there is one store of a key`() = world {
        val store = session.hostStore("shelf")
        fails(ErrorCode.CONFLICT) { session.hostStore("shelf") }
        store.shutdown()
        fails(ErrorCode.NOT_FOUND) { session.connect(SHELF, target) }
    }

    @Test
    fun `the key of a book is kept by the host`() = world {
        var asked = 0
        val service = object : KeyService {
            fun turned(bytes: ByteArray) = ByteArray(bytes.size) { (bytes[it].toInt() xor 0x5A).toByte() }

            override suspend fun wrap(bytes: ByteArray, context: String): WrappedKey {
                asked += 1
                return WrappedKey("key-1", turned(bytes))
            }

            override suspend fun unwrap(bytes: ByteArray, keyId: String, context: String): ByteArray {
                assertEquals("key-1", keyId)
                asked += 1
                return turned(bytes)
            }
        }
        val options = BookOptions(path = at("sealed.db").path)
        for (number in 0..1) {
            val keys = HostKeys(null)
            coroutineScope {
                launch { keys.serve(service) }
                Book.openWithKeys(options, keys).useThenShutdown { sealed ->
                    val session = sealed.defaultSession()
                    if (number == 0) session.saveVolume("away", "sftp://host.example/dir", Access(user = "me", password = "secret"))
                    assertEquals(1, session.renewDataKey())
                }
                keys.shutdown()
            }
        }
        assertTrue(asked > 1)
        Book.open(options).useThenShutdown { fails(ErrorCode.WRONG_KEY) { it.defaultSession().renewDataKey() } }
        val keys = HostKeys(null)
        coroutineScope {
            launch {
                keys.serve(object : KeyService {
                    override suspend fun wrap(bytes: ByteArray, context: String) = throw PortbookException.Offline("no service")
                    override suspend fun unwrap(bytes: ByteArray, keyId: String, context: String) = throw PortbookException.Offline("no service")
                })
            }
            Book.openWithKeys(options, keys).useThenShutdown {
                assertTrue(fails(ErrorCode.OFFLINE) { it.defaultSession().renewDataKey() }.isRetryable)
            }
            keys.shutdown()
        }
    }
}
