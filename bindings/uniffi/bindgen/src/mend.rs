//! What is mended in what uniffi 0.32 generates, so that it keeps what every binding promises: whatever goes wrong has a code, and
//! what is refused or given up is not kept. What is written by hand beside the generated Kotlin does it (`Lowering.kt`).
//!
//! Each place is found as often as it has to be, or nothing is written: a newer uniffi may have mended it, or say it in other
//! words.

/// A text, what stands in its place, and why.
struct Mend {
    why: &'static str,
    text: &'static str,
    mended: &'static str,
    /// It stands in the class, or in the converter, of every handle; and once otherwise.
    of_each_handle: bool,
}

/// What the class of a handle begins with in Kotlin.
const HANDLE: &str = ": Disposable, AutoCloseable, ";

const SWIFT: &[Mend] = &[
    Mend {
        why: "a panic is a defect of the library, with the code for that",
        text: "throw UniffiInternalError.rustPanic(try FfiConverterString.lift(callStatus.errorBuf))",
        mended: "throw PortbookError.Internal(message: try FfiConverterString.lift(callStatus.errorBuf))",
        of_each_handle: false,
    },
    Mend {
        why: "and one that left no words, too",
        text: "throw UniffiInternalError.rustPanic(\"Rust panic\")",
        mended: "throw PortbookError.Internal(message: \"Rust panic\")",
        of_each_handle: false,
    },
];

const KOTLIN: &[Mend] = &[
    Mend {
        why: "a panic is a defect of the library, with the code for that",
        text: "class InternalException(message: String) : kotlin.Exception(message)",
        mended: "internal typealias InternalException = PortbookException.Internal",
        of_each_handle: false,
    },
    Mend {
        why: "half of a surrogate pair is no text, which has a code",
        text: "            encode(CharBuffer.wrap(value))
",
        mended: "            try {
                encode(CharBuffer.wrap(value))
            } catch (e: java.nio.charset.CharacterCodingException) {
                throw refused(\"read the argument\", \"it is not well-formed text\", e)
            }
",
        of_each_handle: false,
    },
    Mend {
        why: "a handle that was closed has a code",
        text: "                throw IllegalStateException(\"${this.javaClass.simpleName} object has already been destroyed\")
",
        mended: "                val name = this.javaClass.simpleName
                throw refused(\"use the $name\", \"it was closed\", IllegalStateException(name))
",
        of_each_handle: true,
    },
    Mend {
        why: "an argument that is refused leaves the clone of the handle and the arguments before it to nobody",
        text: "        try {
            return block(this.uniffiCloneHandle())
        } finally {
",
        mended: "        val lowering = Lowering.begin()
        try {
            val clone = this.uniffiCloneHandle()
            try {
                return block(clone)
            } catch (e: PortbookException) {
                if (lowering.giveBack(e)) UniffiCleanAction(clone).run()
                throw e
            }
        } finally {
            lowering.end()
",
        of_each_handle: true,
    },
    Mend {
        why: "what frees the clone is called from an inline function",
        text: "    private class UniffiCleanAction(",
        mended: "    internal class UniffiCleanAction(",
        of_each_handle: true,
    },
    Mend {
        why: "the arguments that are given back",
        text: "               throw RuntimeException(\"RustBuffer.alloc() returned null data pointer (size=${size})\")
           }
",
        mended: "               throw RuntimeException(\"RustBuffer.alloc() returned null data pointer (size=${size})\")
           }
           Lowering.keep(it)
",
        of_each_handle: false,
    },
    Mend {
        why: "one that could not be filled is not given back twice",
        text: "        } catch (e: Throwable) {
            RustBuffer.free(rbuf)
",
        mended: "        } catch (e: Throwable) {
            Lowering.drop()
            RustBuffer.free(rbuf)
",
        of_each_handle: false,
    },
    Mend {
        why: "a handle that is given as an argument may be closed, and what it stood for be gone",
        text: "        return value.uniffiCloneHandle()
",
        mended: "        return value.callWithHandle { it }
",
        of_each_handle: true,
    },
    Mend {
        why: "the one call without a handle that has two arguments of which the second may be refused",
        text: "        UniffiLib.uniffi_portbook_ffi_fn_constructor_book_open_with_keys(
        FfiConverterTypeBookOptions.lower(`options`),
        FfiConverterTypeHostKeys.lower(`keys`),),
",
        mended: "        Lowering.of {
        UniffiLib.uniffi_portbook_ffi_fn_constructor_book_open_with_keys(
        FfiConverterTypeBookOptions.lower(`options`),
        FfiConverterTypeHostKeys.lower(`keys`),)
        },
",
        of_each_handle: false,
    },
    Mend {
        why: "a coroutine that is cancelled as its answer comes leaves the answer to nobody",
        text: "    } finally {
        freeFunc(rustFuture)
",
        mended: "    } catch (e: kotlinx.coroutines.CancellationException) {
        dropAnswer { liftFunc(uniffiRustCallWithError(errorHandler, { status -> completeFunc(rustFuture, status) })) }
        throw e
    } finally {
        freeFunc(rustFuture)
",
        of_each_handle: false,
    },
];

/// The generated Kotlin, mended.
///
/// # Errors
/// What is not there as often as it has to be.
pub(crate) fn kotlin(generated: String) -> Result<String, String> {
    let handles = generated.matches(HANDLE).count();
    mended(generated, KOTLIN, handles)
}

/// The generated Swift, mended.
///
/// # Errors
/// As for Kotlin.
pub(crate) fn swift(generated: String) -> Result<String, String> {
    mended(generated, SWIFT, 0)
}

fn mended(mut source: String, mends: &[Mend], handles: usize) -> Result<String, String> {
    for mend in mends {
        let (found, wanted) = (source.matches(mend.text).count(), if mend.of_each_handle { handles } else { 1 });
        if found != wanted {
            return Err(format!("what uniffi generates has changed: found {found} times, not {wanted}: {}", mend.why));
        }
        source = source.replace(mend.text, mend.mended);
    }
    Ok(source)
}
