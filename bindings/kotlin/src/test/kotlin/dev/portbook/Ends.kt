package dev.portbook

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/** Ends in the way that the second argument says. */
@OptIn(DelicateCoroutinesApi::class)
fun main(args: Array<String>): Unit = runBlocking {
    val dir = File(args[0])
    val book = Book.open(BookOptions(path = File(dir, "book.db").path))
    val session = book.defaultSession()
    val conduit = session.connect(Place.Directory(File(dir, "source").path), Place.Directory(File(dir, "target").path))
    when (args[1]) {
        "shut" -> conduit.sync().finish().also { book.shutdown() }
        "left" -> conduit.sync().finish()
        "running" -> conduit.sync().nextEvent()
        "exits" -> conduit.sync().nextEvent().also { exitProcess(7) }
        "waiting" -> {
            val store = session.hostStore("x")
            GlobalScope.launch { store.nextRequest() }
            exitProcess(7)
        }
        "throws" -> conduit.sync().also { throw IllegalStateException("no") }
    }
}
