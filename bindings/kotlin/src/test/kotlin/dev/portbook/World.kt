package dev.portbook

import java.io.File
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail

/** The repository, whose sources some tests read. */
val REPOSITORY = File(System.getProperty("portbook.repository", "../.."))

/** Half of a surrogate pair: a string of Kotlin holds it, and it is no text. */
const val LONE = "a\uD800b"

val SHELF = Place.Host("shelf")

/** A directory with a book in it, and a source of some files. */
class World(val dir: File, val book: Book, val session: Session) {
    val source = place("source")
    val target = place("target")

    fun at(path: String) = File(dir, path)
    fun place(name: String): Place = Place.Directory(at(name).path)
    suspend fun connected() = session.connect(source, target)
}

/** Many small files. */
fun many(count: Int) = (0 until count).associate { "f$it.txt" to "$it" }

/** Runs a test in a world of its own, which goes with it. A test that hangs fails. */
fun world(files: Map<String, String> = mapOf("a.txt" to "one", "b.txt" to "three", "c.txt" to "seven77"), test: suspend World.() -> Unit) {
    val dir = Files.createTempDirectory("portbook-kotlin-").toFile()
    try {
        File(dir, "source").mkdir()
        for ((name, content) in files) File(dir, "source/$name").writeText(content)
        runBlocking(Dispatchers.Default) {
            withTimeout(120_000) {
                Book.open(BookOptions(path = File(dir, "book.db").path)).useThenShutdown { book ->
                    World(dir, book, book.defaultSession()).test()
                }
            }
        }
    } finally {
        dir.deleteRecursively()
    }
}

/** The call fails with that code. */
inline fun fails(code: ErrorCode, what: String = "", call: () -> Unit): PortbookException {
    try {
        call()
    } catch (error: PortbookException) {
        assertEquals(code, error.code, "$what: ${error.message}")
        assertTrue(!error.message.isNullOrEmpty(), what)
        return error
    }
    return fail("$what: it did not fail with $code")
}

/** The call, again while what was given up before it is still under way in the book. */
suspend fun <T> patiently(call: suspend () -> T): T {
    while (true) {
        try {
            return call()
        } catch (error: PortbookException.Busy) {
            delay(10)
        }
    }
}

/** How a program ended. */
class Ended(val status: Int, val out: String, val errors: String)

/** Runs a class with a `main` of the tests in a process of its own, which has to end by itself in time. */
fun program(main: String, vararg arguments: String, options: List<String> = listOf(), withinSeconds: Long = 120): Ended {
    val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val java = File(System.getProperty("java.home"), "bin/java").path
    val said = Files.createTempFile("portbook-kotlin-", ".out").toFile()
    val errors = Files.createTempFile("portbook-kotlin-", ".err").toFile()
    try {
        val command = listOf(java) + options + listOf("-cp", classes, "dev.portbook.$main") + arguments
        val process = ProcessBuilder(command).redirectOutput(said).redirectError(errors).start()
        if (!process.waitFor(withinSeconds, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor()
            fail<Unit>("$main did not end in time: ${said.readText()}${errors.readText()}")
        }
        return Ended(process.exitValue(), said.readText(), errors.readText())
    } finally {
        said.delete()
        errors.delete()
    }
}
