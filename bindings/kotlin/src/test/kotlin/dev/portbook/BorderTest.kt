package dev.portbook

import java.io.File
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** That the package is all of the border, and the same as everywhere. */
class BorderTest {
    private fun read(path: String) = File(REPOSITORY, path).readText()

    private fun camel(name: String) = Regex("_([a-z0-9])").replace(name) { it.groupValues[1].uppercase() }

    private class Method(val handle: String, val name: String, val isAsync: Boolean)

    /** Every method that the border exports. */
    private fun exported(): List<Method> {
        val blocks = Regex("uniffi::export\\)\\]\\nimpl (\\w+) \\{\\n(.*?)\\n\\}\\n", RegexOption.DOT_MATCHES_ALL)
        val methods = Regex("^ {4}pub (async )?fn (\\w+)", RegexOption.MULTILINE)
        return File(REPOSITORY, "ffi/src").listFiles { file -> file.name.endsWith(".rs") }!!.flatMap { file ->
            blocks.findAll(file.readText()).flatMap { block ->
                val (handle, body) = block.destructured
                methods.findAll(body).map { Method(handle, camel(it.groupValues[2]), it.groupValues[1].isNotEmpty()) }
            }.toList()
        }
    }

    @Test
    fun `every handle and method of the border is here`() {
        val all = exported()
        assertTrue(all.size >= 90, "${all.size} methods")
        val streams = Class.forName("dev.portbook.StreamsKt").methods
        for (method in all.filter { it.name != "new" }) {
            val handle = Class.forName("dev.portbook.${method.handle}")
            val companion = handle.declaredClasses.filter { it.simpleName == "Companion" }.flatMap { it.methods.toList() }
            val added = streams.filter { it.parameterTypes.firstOrNull() == handle }
            // Where a parameter is unsigned, the compiler adds something to the name.
            val found = (handle.methods.toList() + companion + added).filter { it.name.substringBefore('-') == method.name }
            assertTrue(found.isNotEmpty(), "${method.handle}.${method.name}")
            val suspends = found.all { it.parameterTypes.lastOrNull()?.simpleName == "Continuation" }
            assertEquals(method.isAsync, suspends, "${method.handle}.${method.name}")
        }
    }

    @Test
    fun `every record of the border is here, with its fields`() {
        val records = Regex("derive\\(uniffi::Record\\)[^\\n]*\\n(?:#[^\\n]*\\n)*pub struct (\\w+) \\{\\n(.*?)\\n\\}", RegexOption.DOT_MATCHES_ALL)
        val fields = Regex("^ {4}pub (\\w+): ", RegexOption.MULTILINE)
        var count = 0
        for (file in File(REPOSITORY, "ffi/src/records").listFiles()!!) {
            for (record in records.findAll(file.readText())) {
                val type = Class.forName("dev.portbook.${record.groupValues[1]}")
                for (field in fields.findAll(record.groupValues[2])) {
                    val property = type.declaredFields.singleOrNull { it.name == camel(field.groupValues[1]) }
                    assertNotNull(property, "${type.simpleName}.${field.groupValues[1]}")
                    assertTrue(java.lang.reflect.Modifier.isFinal(property!!.modifiers), "$property")
                }
                count += 1
            }
        }
        assertTrue(count > 50, "$count records")
    }

    @Test
    fun `codes are those of C, and the table of the README`() {
        val header = read("include/portbook.h")
        val readme = read("bindings/kotlin/README.md")
        val codes = codes()
        assertEquals(ErrorCode.entries.toList(), codes.map { it.code })
        for (info in codes) {
            assertTrue(Regex("PORTBOOK_${info.text.uppercase()} = ${info.number},").containsMatchIn(header), info.text)
            assertTrue(readme.contains("| `${info.text}` | "), info.text)
            assertEquals(info.text, info.code.text)
        }
    }

    @Test
    fun `every code has its exception`() {
        val exceptions = PortbookException::class.java.declaredClasses.filter { PortbookException::class.java.isAssignableFrom(it) }
        val codes = exceptions.map { (it.getConstructor(String::class.java).newInstance("x") as PortbookException).code }
        assertEquals(ErrorCode.entries.toSet(), codes.toSet())
        assertEquals(exceptions.size, codes.size)
        for ((exception, code) in exceptions.zip(codes)) {
            assertEquals(code.name.replace("_", ""), exception.simpleName.uppercase())
        }
        assertTrue(PortbookException.Busy("x").isRetryable)
    }

    @Test
    fun `the version is that of the library`() {
        val pom = Regex("\\n  <version>(.*)</version>").find(read("bindings/kotlin/pom.xml"))!!.groupValues[1]
        assertEquals(pom, version())
    }

    @Test
    fun `a record that has a secret does not show it`() {
        val secret = "hunter2hunter2"
        val key = KeyOptions(passphrase = secret)
        val access = Access(password = secret, token = secret)
        for (shown in listOf(key, access, BookOptions(path = "x", url = secret, key = key), Place.Remote("sftp://host/", access))) {
            assertFalse(shown.toString().contains(secret), "$shown")
        }
        assertTrue(BookOptions(path = "where").toString().contains("where"))
    }
}
