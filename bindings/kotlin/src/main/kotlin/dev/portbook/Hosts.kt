package dev.portbook

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch

/**
 * Files that a host holds: what each request asks for is said at [HostRequest]. What cannot be written needs the first three. Its
 * methods run beside each other, on as many threads as the dispatcher of [serve] has.
 */
interface HostFiles {
    /** All items of a directory, or the page of them that begins `after`; null when there is no such directory. */
    suspend fun listDir(path: String, after: String?): HostAnswer.Listing?

    /** One item; null when there is none. The root has an empty path. */
    suspend fun look(path: String): HostEntry?

    /** A piece of a file, shorter only where the file ends; null when there is no such file. */
    suspend fun readAt(path: String, offset: Long, length: Long): ByteArray?

    /** Writes a piece; at offset 0 the file is made, or emptied. */
    suspend fun writeAt(path: String, offset: Long, bytes: ByteArray): Unit = cannot("write files")

    /** Sets a modified time. Only asked of a store that `setsModified`. */
    suspend fun setModified(path: String, modifiedAt: String): Unit = cannot("set times")

    /** Makes a directory. */
    suspend fun makeDir(path: String): Unit = cannot("make directories")

    /** Renames an item, at once or not at all. */
    suspend fun rename(path: String, to: String, replace: Boolean): Unit = cannot("rename items")

    /** Removes a file or an empty directory; also well when it is gone already. */
    suspend fun removeItem(path: String): Unit = cannot("remove items")

    /** Makes what was answered durable. */
    suspend fun flush() {}
}

/** A service that keeps the key of a book's secrets. */
interface KeyService {
    /** Encrypts a key of 32 bytes, and names the key that did. */
    suspend fun wrap(bytes: ByteArray, context: String): WrappedKey

    /** Decrypts what the key of this name has encrypted. */
    suspend fun unwrap(bytes: ByteArray, keyId: String, context: String): ByteArray
}

/** What a [KeyService] has encrypted, and the name of the key that did. */
class WrappedKey(val keyId: String, val bytes: ByteArray)

/**
 * Answers every request from these files, beside each other, until the store ends. What a method throws is the answer: with the
 * code of a [PortbookException], and `host` otherwise.
 */
suspend fun HostStore.serve(files: HostFiles): Unit = coroutineScope {
    while (true) {
        val request = nextRequest() ?: break
        answering({ reason, code -> fail(request.id, reason, code) }) { answer(request, files) }
    }
}

/** Answers every request from this service, until the keys end; what a method throws is the answer, as with files. */
suspend fun HostKeys.serve(service: KeyService): Unit = coroutineScope {
    while (true) {
        val request = nextRequest() ?: break
        answering({ reason, code -> fail(request.id, reason, code) }) { answer(request, service) }
    }
}

/** Names the request. */
val HostRequest.id: Long
    get() = when (this) {
        is HostRequest.ListDir -> id
        is HostRequest.Look -> id
        is HostRequest.ReadAt -> id
        is HostRequest.WriteAt -> id
        is HostRequest.SetModified -> id
        is HostRequest.MakeDir -> id
        is HostRequest.Rename -> id
        is HostRequest.RemoveItem -> id
        is HostRequest.Flush -> id
    }

private suspend fun HostStore.answer(request: HostRequest, files: HostFiles) {
    suspend fun done(call: suspend () -> Unit): HostAnswer {
        call()
        return HostAnswer.Done
    }
    val answer = when (request) {
        is HostRequest.ListDir -> files.listDir(request.path, request.after) ?: HostAnswer.Absent
        is HostRequest.Look -> files.look(request.path)?.let(HostAnswer::Found) ?: HostAnswer.Absent
        is HostRequest.ReadAt -> files.readAt(request.path, request.offset, request.length)?.let { return replyBytes(request.id, it) }
            ?: HostAnswer.Absent
        is HostRequest.WriteAt -> done { files.writeAt(request.path, request.offset, bytes(request.id)) }
        is HostRequest.SetModified -> done { files.setModified(request.path, request.modifiedAt) }
        is HostRequest.MakeDir -> done { files.makeDir(request.path) }
        is HostRequest.Rename -> done { files.rename(request.path, request.to, request.replace) }
        is HostRequest.RemoveItem -> done { files.removeItem(request.path) }
        is HostRequest.Flush -> done { files.flush() }
    }
    reply(request.id, answer)
}

private suspend fun HostKeys.answer(request: KeyRequest, service: KeyService) {
    val bytes = bytes(request.id)
    when (request.action) {
        KeyAction.WRAP -> service.wrap(bytes, request.context).let { reply(request.id, it.keyId, it.bytes) }
        KeyAction.UNWRAP -> reply(request.id, "", service.unwrap(bytes, request.keyId.orEmpty(), request.context))
    }
}

/** A request is answered whatever happens to the host's code, its coroutine being cancelled before it began included. */
@OptIn(DelicateCoroutinesApi::class)
internal fun CoroutineScope.answering(fail: (String, ErrorCode?) -> Unit, answer: suspend () -> Unit) {
    launch(start = CoroutineStart.ATOMIC) {
        try {
            answer()
        } catch (thrown: Throwable) {
            // Half of a surrogate pair is no text, whoever put it into a message.
            val reason = (thrown.message ?: thrown.toString()).encodeToByteArray().decodeToString()
            try {
                fail(reason, (thrown as? PortbookException)?.code)
            } catch (_: PortbookException) {
                // It was answered, or nobody waits for it any more.
            }
        }
    }
}

internal fun cannot(what: String): Nothing = throw PortbookException.Unsupported("the host does not $what")
