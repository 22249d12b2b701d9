package dev.portbook

import java.io.File
import java.nio.file.Files
import kotlin.system.exitProcess
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** How processes end, and what they hold meanwhile. */
class ProcessTest {
    private fun told(main: String, vararg arguments: String, options: List<String> = listOf(), withinSeconds: Long = 120): Ended {
        val dir = Files.createTempDirectory("portbook-kotlin-").toFile()
        try {
            File(dir, "source").mkdir()
            repeat(200) { File(dir, "source/f$it").writeText("$it") }
            val ended = program(main, dir.path, *arguments, options = options, withinSeconds = withinSeconds)
            assertFalse(Regex("panicked|SIGSEGV|fatal error").containsMatchIn(ended.errors), ended.errors)
            return ended
        } finally {
            dir.deleteRecursively()
        }
    }

    @Test
    fun `a process ends, whatever is under way`() {
        for ((how, status) in listOf("shut" to 0, "left" to 0, "running" to 0, "exits" to 7, "waiting" to 7, "throws" to 1)) {
            val ended = told("EndsKt", how)
            assertEquals(status, ended.status, "$how: ${ended.errors}")
        }
    }

    @Test
    fun `what was left in the middle is taken up by the next process`() {
        val ended = told("TakenUpKt")
        assertEquals("true\n", ended.out, ended.errors)
    }

    @Test
    fun `books are used by many threads at once`() = world(many(100)) {
        val sessions = withContext(Dispatchers.IO) {
            (1..8).map { n ->
                async {
                    Book.open(BookOptions(path = at("book.db").path)).useThenShutdown { own ->
                        own.defaultSession().connect(source, place("target$n")).sync().finish().counts.new
                    }
                }
            }.awaitAll()
        }
        assertEquals(List(8) { 100L }, sessions)
    }

    @Test
    fun `cycles leave memory flat`() {
        val cycles = System.getProperty("portbook.cycles", "1000")
        // A heap that is there from the beginning: what grows is outside of it.
        val options = listOf("-Xms48m", "-Xmx48m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        val ended = told("CyclesKt", cycles, options = options, withinSeconds = 900)
        assertEquals(0, ended.status, ended.errors)
        // What the allocators and the compiler hold back varies by some MiB; 10 KiB lost in each cycle would be seen in a thousand.
        assertTrue(ended.out.trim().toLong() < (8 shl 20), "grown by ${ended.out.trim()} bytes in $cycles cycles")
    }

    @Test
    fun `refused calls leave memory flat`() {
        val options = listOf("-Xms48m", "-Xmx48m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        val ended = told("RefusalsKt", options = options, withinSeconds = 300)
        assertEquals(0, ended.status, ended.errors)
        assertTrue(ended.out.trim().toLong() < (8 shl 20), "grown by ${ended.out.trim()} bytes")
    }
}
