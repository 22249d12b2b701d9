package dev.portbook

import java.io.File
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.runBlocking

/** What the process holds, in bytes, after everything that was dropped is collected. */
fun resident(): Long {
    repeat(3) {
        System.gc()
        Thread.sleep(50)
    }
    return File("/proc/self/statm").readText().split(" ")[1].toLong() * 4096
}

/** Opens a book, syncs and ends it, so many times, and looks at its own memory. Handles are left to the collector. */
fun main(args: Array<String>): Unit = runBlocking {
    val dir = File(args[0])
    val cycles = args[1].toInt()
    suspend fun cycle() {
        val book = Book.open(BookOptions(path = File(dir, "book.db").path))
        val conduit = book.defaultSession().connect(Place.Directory(File(dir, "source").path), Place.Directory(File(dir, "target").path))
        val run = conduit.sync()
        run.events().collect {}
        run.finish()
        book.shutdown()
    }
    repeat(maxOf(100, cycles / 5)) { cycle() }
    val early = resident()
    repeat(cycles) {
        cycle()
        if (it % 25 == 0) System.gc()
    }
    println(resident() - early)
}
