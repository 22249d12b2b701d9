extension PortbookError {
    /// The code: the contract. The text is for people.
    public var code: ErrorCode {
        switch self {
        case .Invalid: return .invalid
        case .NotFound: return .notFound
        case .Conflict: return .conflict
        case .Stale: return .stale
        case .Guard: return .guard
        case .Auth: return .auth
        case .Permission: return .permission
        case .Quota: return .quota
        case .Throttled: return .throttled
        case .Offline: return .offline
        case .Timeout: return .timeout
        case .Unsupported: return .unsupported
        case .Busy: return .busy
        case .Newer: return .newer
        case .Corrupt: return .corrupt
        case .WrongKey: return .wrongKey
        case .Storage: return .storage
        case .Host: return .host
        case .Cancelled: return .cancelled
        case .Internal: return .internal
        }
    }

    /// What was being done, to what, what came back, and what to do.
    public var text: String {
        switch self {
        case .Invalid(let text), .NotFound(let text), .Conflict(let text), .Stale(let text), .Guard(let text),
            .Auth(let text), .Permission(let text), .Quota(let text), .Throttled(let text), .Offline(let text),
            .Timeout(let text), .Unsupported(let text), .Busy(let text), .Newer(let text), .Corrupt(let text),
            .WrongKey(let text), .Storage(let text), .Host(let text), .Cancelled(let text), .Internal(let text):
            return text
        }
    }

    /// Whether the same call may succeed later as it stands.
    public var isRetryable: Bool { code.info.isRetryable }
}

extension ErrorCode {
    /// What is known of the code.
    public var info: CodeInfo { infos[self]! }

    /// The text of the code, which is the same in every language.
    public var text: String { info.text }
}

private let infos = Dictionary(uniqueKeysWithValues: codes().map { ($0.code, $0) })
