package dev.portbook

/** What cannot be given to the library, told as the library would tell it. The cause says that it was never called. */
internal fun refused(doing: String, why: String, cause: Exception): PortbookException =
    PortbookException.Invalid("could not $doing: $why").apply { initCause(cause) }

/** What a call has handed over so far, which is to be freed when a later argument is refused. */
internal class Lowering private constructor(private val outer: Lowering?) {
    private val buffers = ArrayList<RustBuffer.ByValue>()

    /** Frees it all, where the call was refused before the library had it. */
    fun giveBack(refusal: PortbookException): Boolean {
        if (refusal.cause == null) return false
        buffers.forEach(RustBuffer::free)
        buffers.clear()
        return true
    }

    fun end() = current.set(outer)

    companion object {
        private val current = ThreadLocal<Lowering?>()

        fun begin() = Lowering(current.get()).also(current::set)

        /** What is called without a handle. */
        inline fun <R> of(call: () -> R): R {
            val lowering = begin()
            try {
                return call()
            } catch (e: PortbookException) {
                lowering.giveBack(e)
                throw e
            } finally {
                lowering.end()
            }
        }

        fun keep(buffer: RustBuffer.ByValue) {
            current.get()?.buffers?.add(buffer)
        }

        /** The last one is freed by whoever could not fill it. */
        fun drop() {
            current.get()?.buffers?.removeLastOrNull()
        }
    }
}

/** Takes the answer of a call that nobody waits for any more, and frees it; there may be none. */
internal fun dropAnswer(answer: () -> Any?) {
    try {
        (answer() as? AutoCloseable)?.close()
    } catch (_: Exception) {
        // The call had not come to an end, or failed: there is nothing to free.
    }
}
