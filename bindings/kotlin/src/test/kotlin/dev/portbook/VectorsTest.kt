package dev.portbook

import java.io.File
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The pure calls answer what an implementation beside ours says (tests/vectors/pure.json), as in every language. */
class VectorsTest {
    /** A line of the file, which has a vector a line, so that nobody needs a parser: its fields are plain texts and one number. */
    private class Vector(private val line: String) {
        fun text(field: String): String {
            val found = Regex("\"$field\": \"((?:[^\"\\\\]|\\\\.)*)\"").find(line) ?: error("no $field: $line")
            return found.groupValues[1].replace(Regex("\\\\(.)"), "$1")
        }

        fun length(): Int = Regex("\"length\": (\\d+)").find(line)!!.groupValues[1].toInt()
        fun path(): ByteArray = text("hex").chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        override fun toString() = line
    }

    private fun holds(vector: Vector) {
        when (vector.text("of")) {
            "content" -> assertEquals(vector.text("hash"), contentHash(ByteArray(vector.length()) { (it % 251).toByte() }), "$vector")
            "path" -> {
                assertEquals(vector.text("shown"), showPath(vector.path()), "$vector")
                assertArrayEquals(vector.path(), pathBytes(vector.text("shown")), "$vector")
            }
            "no path" -> fails(ErrorCode.INVALID, "$vector") { showPath(vector.path()) }
            "not shown" -> fails(ErrorCode.INVALID, "$vector") { pathBytes(vector.text("shown")) }
            "address" -> {
                assertEquals(vector.text("shown"), showAddress(vector.text("written")), "$vector")
                assertEquals(vector.text("shown"), showAddress(vector.text("shown")), "$vector")
            }
            "no address" -> fails(ErrorCode.INVALID, "$vector") { showAddress(vector.text("written")) }
            else -> error("$vector")
        }
    }

    @Test
    fun `the vectors hold`() {
        val vectors = File(REPOSITORY, "tests/vectors/pure.json").readLines().filter { "\"of\": " in it }.map(::Vector)
        assertTrue(vectors.size > 70, "${vectors.size}")
        vectors.forEach(::holds)
    }

    @Test
    fun `what is no text is refused`() {
        fails(ErrorCode.INVALID) { pathBytes(LONE) }
        fails(ErrorCode.INVALID) { showAddress("sftp://$LONE") }
    }
}
