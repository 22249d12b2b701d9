package dev.portbook

import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** What bad input gets: the same code as in every language. */
class InputTest {
    @Test
    fun `numbers are between zero and 2 to the 53rd`() = world {
        val path = at("other.db").path
        for (number in listOf(-1L, 1L shl 53, Long.MIN_VALUE, Long.MAX_VALUE)) {
            fails(ErrorCode.INVALID, "memoryBytes $number") { Book.open(BookOptions(path = path, memoryBytes = number)) }
            fails(ErrorCode.INVALID, "timeoutMs $number") { session.hostStore("x", HostOptions(timeoutMs = number)) }
            fails(ErrorCode.INVALID, "HostKeys $number") { HostKeys(number) }
        }
        assertEquals(1, book.tenants(null, (-1).toUInt()).size)
        Book.open(BookOptions(path = path, memoryBytes = (1L shl 53) - 1)).useThenShutdown { }
    }

    @Test
    fun `half a surrogate pair is refused wherever it stands`() = world {
        val conduit = connected()
        val store = session.hostStore("x")
        val calls = listOf<Pair<String, suspend () -> Any?>>(
            "an argument" to { session.volume(LONE) },
            "the second argument" to { session.conduitOf("00000000-0000-0000-0000-000000000000", Place.Directory(LONE), target) },
            "the last argument" to { session.connect(source, Place.Directory(LONE)) },
            "a constructor" to { Book.open(BookOptions(path = at("x").path + LONE)) },
            "a field" to { book.createUser(session.tenant(), NewUser(displayName = LONE)) },
            "a list in a record in a record" to { session.connect(source, target, ConduitOptions(filters = Filters(exclude = listOf("ok", LONE)))) },
            "a list" to { conduit.preview().tick(listOf(LONE), true) },
            "what may be absent" to { book.tenants(LONE, 1u) },
            "JSON" to { session.createRow("applications", "{\"name\":\"$LONE\"}") },
            "what returns at once" to { conduit.apply(LONE, ApplyOptions()) },
            "the key of a store" to { session.hostStore(LONE) },
            "an answer" to { store.reply(1, HostAnswer.Listing(listOf(HostEntry(LONE, HostKind.DIR)), null)) },
            "a reason" to { store.fail(1, LONE, null) },
            "the second half" to { book.createTenant("\uDC00") },
            "the wrong order" to { book.createTenant("\uDC00\uD800") },
        )
        for ((what, call) in calls) fails(ErrorCode.INVALID, what) { call() }
        assertEquals("whole \uD83D\uDE00", book.createTenant("whole \uD83D\uDE00").name)
    }

    @Test
    fun `a NUL inside of text is refused`() = world {
        fails(ErrorCode.INVALID) { Book.open(BookOptions(path = at("a\u0000b").path)) }
        fails(ErrorCode.INVALID) { session.connect(source, Place.Directory("${target}a\u0000b")) }
        fails(ErrorCode.INVALID) { session.hostStore("a\u0000b") }
        fails(ErrorCode.NOT_FOUND) { session.volume("a\u0000b") }
        fails(ErrorCode.INVALID) { book.backup("a\u0000b") }
    }

    @Test
    fun `what cannot be used together or is no id is invalid`() = world {
        val path = at("other.db").path
        fails(ErrorCode.INVALID) { Book.open(BookOptions()) }
        fails(ErrorCode.INVALID) { Book.open(BookOptions(path = path, url = "postgres://localhost/x")) }
        fails(ErrorCode.INVALID) { Book.open(BookOptions(path = path, key = KeyOptions(rawHex = "no hex"))) }
        fails(ErrorCode.INVALID) { session.preview("no id") }
        fails(ErrorCode.INVALID) { session.connect(source, source) }
        fails(ErrorCode.INVALID) { session.createRow("applications", "text") }
        fails(ErrorCode.INVALID) { session.hostStore("") }
        fails(ErrorCode.NOT_FOUND) { session.getRow("no_table", "00000000-0000-0000-0000-000000000000") }
        fails(ErrorCode.NOT_FOUND) { session.volume("nothing") }
        val preview = connected().preview()
        fails(ErrorCode.INVALID) { preview.changes(ChangeFilter(), "no change", 1u) }
    }

    @Test
    fun `a handle that was closed is invalid, as receiver and as argument`() = world {
        val conduit = connected()
        val preview = conduit.preview()
        val run = conduit.sync()
        val store = session.hostStore("x")
        val keys = HostKeys(null)
        val other = book.defaultSession()
        val second = Book.open(BookOptions(path = at("second.db").path))
        second.shutdown()
        run.finish()
        val handles = listOf(second, other, conduit, preview, run, store, keys)
        for (handle in handles + handles) handle.close()
        for (call in listOf<suspend () -> Any?>(
            { second.check() },
            { second.shutdown() },
            { other.tenant() },
            { other.history(1u) },
            { conduit.id() },
            { conduit.preview() },
            { conduit.sync() },
            { preview.id() },
            { preview.eachChange().toList() },
            { run.finish() },
            { run.cancel() },
            { run.nextEvent() },
            { run.events().toList() },
            { store.nextRequest() },
            { store.shutdown() },
            { keys.nextRequest() },
            { book.copyInto(second) },
            { book.rotateToHostKeys(keys) },
            { Book.openWithKeys(BookOptions(path = at("third.db").path), keys) },
            { session.volumeOn("x", store) },
        )) {
            fails(ErrorCode.INVALID) { call() }
        }
        assertFalse(at("third.db").exists())
        assertTrue(book.check().isEmpty())
    }

    @Test
    fun `a call that is refused or given up holds no handle`() = world {
        for (round in 0..20) {
            // A store ends with its last handle, and until then there is none other of its key.
            val store = session.hostStore("x")
            fails(ErrorCode.INVALID) { store.fail(1, LONE, null) }
            fails(ErrorCode.INVALID) { store.reply(1, HostAnswer.Found(HostEntry(LONE, HostKind.DIR))) }
            fails(ErrorCode.INVALID) { session.volumeOn(LONE, store) }
            coroutineScope {
                val waiting = launch { store.nextRequest() }
                repeat(round) { yield() }
                waiting.cancelAndJoin()
            }
            store.close()
        }
        session.hostStore("x").close()
    }

    @Test
    fun `what has ended is invalid, and a run still tells how it ended`() = world {
        val conduit = connected()
        val preview = conduit.preview()
        val run = conduit.sync()
        book.shutdown()
        for (call in listOf<suspend () -> Any?>(
            { session.history(1u) },
            { session.tenant() },
            { session.hostStore("x") },
            { conduit.preview() },
            { conduit.sync() },
            { conduit.id() },
            { preview.summary() },
            { book.check() },
            { book.defaultSession() },
        )) {
            fails(ErrorCode.INVALID) { call() }
        }
        val report = run.finish()
        assertTrue(report.cancelled || report.counts.new == 3L)
    }

    @Test
    fun `no secret is in an error or a record that is shown`() = world {
        val secret = "hunter2hunter2"
        val path = at("other.db").path
        for (call in listOf<suspend () -> Any?>(
            { Book.open(BookOptions(path = path, key = KeyOptions(rawHex = secret))) },
            { session.saveVolume("x", "nothing://host/", Access(password = secret)) },
            { session.createRow("applications", "{\"name\": $secret") },
        )) {
            val error = fails(ErrorCode.INVALID) { call() }
            assertFalse(error.message!!.contains(secret), error.message)
        }
    }

    @Test
    fun `errors know where they came from`() = world {
        suspend fun somebodyWhoAsks() = session.volume("nothing")
        val error = fails(ErrorCode.NOT_FOUND) { somebodyWhoAsks() }
        assertFalse(error.isRetryable)
        assertTrue(error.stackTraceToString().contains("dev.portbook"), error.stackTraceToString())
    }
}
