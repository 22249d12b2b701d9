package dev.portbook

/** The code of a failure: the contract. The message is for people. */
val PortbookException.code: ErrorCode
    get() = when (this) {
        is PortbookException.Invalid -> ErrorCode.INVALID
        is PortbookException.NotFound -> ErrorCode.NOT_FOUND
        is PortbookException.Conflict -> ErrorCode.CONFLICT
        is PortbookException.Stale -> ErrorCode.STALE
        is PortbookException.Guard -> ErrorCode.GUARD
        is PortbookException.Auth -> ErrorCode.AUTH
        is PortbookException.Permission -> ErrorCode.PERMISSION
        is PortbookException.Quota -> ErrorCode.QUOTA
        is PortbookException.Throttled -> ErrorCode.THROTTLED
        is PortbookException.Offline -> ErrorCode.OFFLINE
        is PortbookException.Timeout -> ErrorCode.TIMEOUT
        is PortbookException.Unsupported -> ErrorCode.UNSUPPORTED
        is PortbookException.Busy -> ErrorCode.BUSY
        is PortbookException.Newer -> ErrorCode.NEWER
        is PortbookException.Corrupt -> ErrorCode.CORRUPT
        is PortbookException.WrongKey -> ErrorCode.WRONG_KEY
        is PortbookException.Storage -> ErrorCode.STORAGE
        is PortbookException.Host -> ErrorCode.HOST
        is PortbookException.Cancelled -> ErrorCode.CANCELLED
        is PortbookException.Internal -> ErrorCode.INTERNAL
    }

/** Whether the same call may succeed later as it stands. */
val PortbookException.isRetryable: Boolean get() = code.info.isRetryable

/** What is known of a code. */
val ErrorCode.info: CodeInfo get() = infos.getValue(this)

/** The text of a code, which is the same in every language. */
val ErrorCode.text: String get() = info.text

private val infos: Map<ErrorCode, CodeInfo> by lazy { codes().associateBy { it.code } }
