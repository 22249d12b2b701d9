package dev.portbook

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.count
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Previews and runs: events, pages, cancelling. */
class RunsTest {
    @Test
    fun `events come in their order and are told to all readers together`() = world(many(1500)) {
        val run = connected().sync()
        val seen = coroutineScope { (1..3).map { async { run.events().toList() } }.awaitAll() }.flatten()
        val applied = seen.filterIsInstance<RunEvent.Applied>()
        assertEquals(1500, applied.flatMap { it.items }.map { it.path }.toSet().size)
        assertTrue(applied.all { it.items.size <= 1000 })
        assertEquals(1, seen.filterIsInstance<RunEvent.Planned>().size)
        assertNull(run.nextEvent())
        val report = run.finish()
        assertEquals(report, run.finish())
        assertEquals(1500, report.counts.new)
        assertTrue(report.isInStep)
    }

    @Test
    fun `a wait that is given up loses no event`() = world(many(1000)) {
        val run = connected().sync()
        var applied = 0
        var givenUp = 0
        var ended = false
        fun take(event: RunEvent?) {
            if (event is RunEvent.Applied) applied += event.items.size
            if (event == null) ended = true
        }
        while (!ended) {
            // Given up at once, in the middle, and at the moment in which an event comes.
            val wait = givenUp % 50
            coroutineScope {
                val waiting = launch { take(run.nextEvent()) }
                repeat(wait) { yield() }
                if (givenUp < 2000) waiting.cancelAndJoin() else waiting.join()
            }
            givenUp += 1
        }
        assertTrue(givenUp > 50, "$givenUp")
        assertEquals(1000, applied)
    }

    @Test
    fun `calls whose coroutine is cancelled leave the book in order`() = world(many(200)) {
        val conduit = connected()
        repeat(200) { round ->
            coroutineScope {
                val calls = listOf<suspend () -> Any?>({ conduit.preview() }, { book.defaultSession() }, { session.history(10u) })
                    .map { call -> launch { patiently { call() } } }
                repeat(round % 20) { yield() }
                calls.forEach { it.cancel() }
            }
        }
        assertEquals(200, patiently { conduit.sync().finish() }.counts.new)
        assertTrue(book.check().isEmpty())
    }

    @Test
    fun `a run is cancelled, paused and resumed`() = world(many(1000)) {
        val conduit = connected()
        val run = conduit.sync()
        run.pause()
        run.resume()
        run.cancel()
        run.cancel()
        assertTrue(run.finish().cancelled)
        assertTrue(conduit.sync().finish().isInStep)
    }

    @Test
    fun `a coroutine that is cancelled leaves a run alone, or cancels it`() = world(many(500)) {
        val conduit = connected()
        val run = conduit.sync()
        run.pause()
        assertNull(withTimeoutOrNull(100) { run.finish() })
        coroutineScope {
            launch(start = CoroutineStart.UNDISPATCHED) { run.finishOrCancel() }.cancelAndJoin()
        }
        // It has ended by then.
        assertTrue(withTimeout(1000) { run.finish() }.cancelled)
        assertTrue(conduit.sync().finishOrCancel().isInStep)
    }

    @Test
    fun `changes come in pages, one after another, ticked as wanted`() = world(many(2300)) {
        val conduit = connected()
        val preview = conduit.preview()
        assertEquals(2300, preview.summary().counts.new)
        val first = preview.changes(ChangeFilter(), null, 1000u)
        assertEquals(1000, first.changes.size)
        val short = preview.changes(ChangeFilter(kind = ChangeKind.NEW), first.next, 10u)
        assertEquals(10, short.changes.size)
        val paths = preview.eachChange().map { it.path }.toList()
        assertEquals(2300, paths.toSet().size)
        assertEquals(short.changes[0].path, paths[1000])
        assertEquals("f1.txt", preview.eachChange(ChangeFilter(under = "f1.txt")).toList().single().path)
        assertEquals(paths[0], preview.eachChange().first().path)
        preview.tickAll(ChangeFilter(), false)
        preview.tick(listOf(first.changes[0].id), true)
        assertEquals(1, conduit.apply(preview).finish().counts.new)
        assertTrue(at("target/${paths[0]}").exists())
        val discarded = conduit.preview()
        discarded.discard()
        fails(ErrorCode.NOT_FOUND) { discarded.summary() }
    }

    @Test
    fun `what was done is listed, and how far it is watched`() = world {
        val conduit = connected()
        conduit.sync().finish()
        val run = session.history(1u).single()
        assertEquals(conduit.id(), run.conduit)
        assertTrue(session.eachActivity(ActivityFilter(conduit = conduit.id())).count() >= 2)
        assertEquals(0, session.eachError().count())
        assertEquals(1, session.eachPreview().count())
        assertEquals(0, conduit.eachConflict().count())
        assertEquals(listOf(session.tenant()), book.eachTenant().map { it.id }.toList())
        val row = session.eachProgress().toList().single()
        assertEquals(listOf(SyncStatus.COMPLETED), session.watchProgress(row.syncId).rows().map { it.status }.toList())
    }

    @Test
    fun `tenants, users, rows and verification`() = world {
        val tenant = book.createTenant("ours")
        val user = book.createUser(tenant.id, NewUser(displayName = "she"))
        assertEquals(tenant.id, book.session(tenant.id, user.id).tenant())
        assertEquals("theirs", book.renameTenant(tenant.id, "theirs").name)
        book.deleteTenant(tenant.id)
        fails(ErrorCode.NOT_FOUND) { book.session(tenant.id, user.id) }
        session.createRow("applications", "{\"name\": \"app\"}")
        session.createRow("applications", "{\"name\": \"other\"}")
        suspend fun names(filter: RowFilter) = session.eachRow("applications", filter).map { Regex("\"name\":\"(\\w+)\"").find(it)!!.groupValues[1] }.toList()
        assertEquals(listOf("app", "other"), names(RowFilter()))
        assertEquals(listOf("other", "app"), names(RowFilter(latestFirst = true)))
        fails(ErrorCode.INVALID) { session.listRows("applications", RowFilter(equal = "{\"no_column\": 1}"), null, 1u) }
        val conduit = session.connect(source, target, ConduitOptions(mode = SyncMode.BIDIRECTIONAL))
        conduit.sync().finish()
        assertEquals(0, session.verify(source, target).differing)
        conduit.setSelectionRules(listOf(SelectionRule(pattern = "*.txt", isIncluded = true)))
        assertEquals(listOf(SelectionRule(pattern = "*.txt", isIncluded = true)), conduit.selectionRules())
        assertTrue(book.check().isEmpty())
        assertEquals(0, book.maintain().previews)
    }

    @Test
    fun `files of a volume are put and read in pieces`() = world {
        at("volume").mkdir()
        session.saveDirectory("files", at("volume").path)
        val volume = session.volume("files")
        val bytes = ByteArray(5 shl 20) { (it * 31).toByte() }
        val file = volume.put(NewFile(path = "a.bin"), bytes)
        val pieces = volume.openFile(FileAt(path = "a.bin"), 0, null).pieces().toList()
        assertTrue(pieces.size > 1)
        assertArrayEquals(bytes, pieces.fold(ByteArray(0), ByteArray::plus))
        // Given up and taken up again: no piece is lost.
        val reader = volume.openFile(FileAt(id = file.id), 100, null)
        var read = ByteArray(0)
        var ended = false
        var round = 0
        while (!ended) {
            coroutineScope {
                val waiting = launch { reader.nextPiece()?.let { read += it } ?: run { ended = true } }
                repeat(round++ % 10) { yield() }
                waiting.cancelAndJoin()
            }
        }
        assertArrayEquals(bytes.copyOfRange(100, bytes.size), read)
        volume.delete(FileAt(path = "a.bin"))
        assertEquals(listOf("a.bin"), volume.eachDeleted().map { it.path }.toList())
        assertEquals(0, volume.eachFile().count())
    }

    @Test
    fun `guards stop a run until they are confirmed`() = world(many(20)) {
        val conduit = connected()
        conduit.sync().finish()
        repeat(15) { at("source/f$it.txt").delete() }
        val preview = conduit.preview()
        val guards = preview.summary().guards
        assertTrue(guards.isNotEmpty())
        fails(ErrorCode.GUARD) { conduit.apply(preview).finish() }
        val report = conduit.apply(preview, ApplyOptions(confirm = guards.map { it.name })).finish()
        assertEquals(15, report.counts.deleted)
    }
}
