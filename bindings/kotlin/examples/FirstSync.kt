/** Carries a directory to another one, and tells what it does: FirstSync BOOK SOURCE TARGET */

package dev.portbook.examples

import dev.portbook.*
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking

fun main(args: Array<String>): Unit = runBlocking {
    val (path, source, target) = args
    try {
        Book.open(BookOptions(path = path)).useThenShutdown { book ->
            val session = book.defaultSession()
            val conduit = session.connect(Place.Directory(source), Place.Directory(target))

            val preview = conduit.preview() // nothing has been written yet
            preview.eachChange().collect { println("${it.kind} ${it.path} ${it.bytes ?: ""}") }

            val run = conduit.apply(preview) // exactly that
            run.events().collect { event ->
                if (event is RunEvent.Failed) System.err.println("${event.failure.path}: ${event.failure.code}")
            }
            val report = run.finish()
            println("${report.counts.new} new, in step: ${report.isInStep}")
        }
    } catch (error: PortbookException) {
        System.err.println("${error.code.text}: ${error.message}")
        exitProcess(error.code.info.exitStatus.toInt())
    }
}
