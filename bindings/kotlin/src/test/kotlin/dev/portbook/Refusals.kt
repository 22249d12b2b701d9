package dev.portbook

import java.io.File
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield

/** Makes calls that are refused before the library has them, and calls that are given up, and looks at its own memory. */
fun main(args: Array<String>): Unit = runBlocking {
    val dir = File(args[0])
    val book = Book.open(BookOptions(path = File(dir, "book.db").path))
    val session = book.defaultSession()
    val closed = session.hostStore("closed").also { it.close() }
    // Large, so that a leak is seen.
    val large = Place.Remote("sftp://host/" + "x".repeat(2000), Access(password = "x".repeat(2000)))
    suspend fun refusals() {
        fails(ErrorCode.INVALID) { session.connect(large, Place.Directory(LONE)) }
        fails(ErrorCode.INVALID) { session.updateRow("applications", "x".repeat(2000), "x".repeat(2000), LONE) }
        fails(ErrorCode.INVALID) { session.volumeOn("x".repeat(2000), closed) }
        fails(ErrorCode.INVALID) { session.hostStore(LONE) }
    }
    suspend fun givenUp(round: Int) {
        val call = launch { book.defaultSession() }
        repeat(round % 10) { yield() }
        call.cancelAndJoin()
    }
    repeat(1000) { refusals().also { _ -> givenUp(it) } }
    val early = resident()
    repeat(10_000) {
        refusals()
        if (it % 5 == 0) givenUp(it)
    }
    println(resident() - early)
    book.shutdown()
}
