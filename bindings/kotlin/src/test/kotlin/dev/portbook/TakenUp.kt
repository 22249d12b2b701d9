package dev.portbook

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking

/** Starts itself three times and is ended in the middle of a run, then does all that is left. */
fun main(args: Array<String>): Unit = runBlocking {
    val cut = args.getOrNull(1)?.toLong()
    if (cut == null) {
        for (n in 0..2) check(program("TakenUpKt", args[0], "${n * 15}").status == 0)
    }
    val dir = File(args[0])
    val book = Book.open(BookOptions(path = File(dir, "book.db").path))
    val conduit = book.defaultSession().connect(Place.Directory(File(dir, "source").path), Place.Directory(File(dir, "target").path))
    val run = conduit.sync()
    if (cut != null) {
        delay(cut)
        Runtime.getRuntime().halt(0)
    }
    println(run.finish().isInStep)
    book.shutdown()
}
