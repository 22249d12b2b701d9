import Foundation

/// Files that a host holds: what each request asks for is said at `HostRequest`. What cannot be written needs the first three.
public protocol HostFiles: Sendable {
    /// All items of a directory, or the page of them that begins `after`: `listing`, or `absent` when there is no such directory.
    func listDir(path: String, after: String?) async throws -> HostAnswer
    /// One item; nil when there is none. The root has an empty path.
    func look(path: String) async throws -> HostEntry?
    /// A piece of a file, shorter only where the file ends; nil when there is no such file.
    func readAt(path: String, offset: Int64, length: Int64) async throws -> Data?
    /// Writes a piece; at offset 0 the file is made, or emptied.
    func writeAt(path: String, offset: Int64, bytes: Data) async throws
    /// Sets a modified time. Only asked of a store that `setsModified`.
    func setModified(path: String, modifiedAt: String) async throws
    /// Makes a directory.
    func makeDir(path: String) async throws
    /// Renames an item, at once or not at all.
    func rename(path: String, to: String, replace: Bool) async throws
    /// Removes a file or an empty directory; also well when it is gone already.
    func removeItem(path: String) async throws
    /// Makes what was answered durable.
    func flush() async throws
}

extension HostFiles {
    public func writeAt(path: String, offset: Int64, bytes: Data) async throws { try cannot("write files") }
    public func setModified(path: String, modifiedAt: String) async throws { try cannot("set times") }
    public func makeDir(path: String) async throws { try cannot("make directories") }
    public func rename(path: String, to: String, replace: Bool) async throws { try cannot("rename items") }
    public func removeItem(path: String) async throws { try cannot("remove items") }
    public func flush() async throws {}

    private func cannot(_ what: String) throws { throw PortbookError.Unsupported(message: "the host does not \(what)") }
}

/// A service that keeps the key of a book's secrets.
public protocol KeyService: Sendable {
    /// Encrypts a key of 32 bytes, and names the key that did.
    func wrap(bytes: Data, context: String) async throws -> (keyId: String, bytes: Data)
    /// Decrypts what the key of this name has encrypted.
    func unwrap(bytes: Data, keyId: String, context: String) async throws -> Data
}

/// As many requests are answered beside each other.
let atOnce = 64

extension HostStore {
    /// Answers every request from these files, beside each other, until the store ends. What a method throws is the answer: with the
    /// code of a `PortbookError`, and `host` otherwise.
    public func serve<Files: HostFiles>(_ files: Files) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var running = 0
            for try await request in requests {
                if running == atOnce {
                    try await group.next()
                    running -= 1
                }
                running += 1
                group.addTask {
                    do {
                        try await self.answer(request, files)
                    } catch {
                        // It was answered, or nobody waits for it any more.
                        try? self.fail(id: request.id, reason: reason(error), code: (error as? PortbookError)?.code)
                    }
                }
            }
        }
    }

    private func answer<Files: HostFiles>(_ request: HostRequest, _ files: Files) async throws {
        switch request {
        case .listDir(let id, let path, let after):
            try reply(id: id, answer: await files.listDir(path: path, after: after))
        case .look(let id, let path):
            let entry = try await files.look(path: path)
            try reply(id: id, answer: entry.map { HostAnswer.found(entry: $0) } ?? .absent)
        case .readAt(let id, let path, let offset, let length):
            if let bytes = try await files.readAt(path: path, offset: offset, length: length) {
                try replyBytes(id: id, bytes: bytes)
            } else {
                try reply(id: id, answer: .absent)
            }
        case .writeAt(let id, let path, let offset, _):
            try await files.writeAt(path: path, offset: offset, bytes: bytes(id: id))
            try reply(id: id, answer: .done)
        case .setModified(let id, let path, let modifiedAt):
            try await files.setModified(path: path, modifiedAt: modifiedAt)
            try reply(id: id, answer: .done)
        case .makeDir(let id, let path):
            try await files.makeDir(path: path)
            try reply(id: id, answer: .done)
        case .rename(let id, let path, let to, let replace):
            try await files.rename(path: path, to: to, replace: replace)
            try reply(id: id, answer: .done)
        case .removeItem(let id, let path):
            try await files.removeItem(path: path)
            try reply(id: id, answer: .done)
        case .flush(let id):
            try await files.flush()
            try reply(id: id, answer: .done)
        }
    }
}

extension HostKeys {
    /// Answers every request from this service, one after another, until the keys end; what a method throws is the answer, as
    /// with files.
    public func serve<Service: KeyService>(_ service: Service) async throws {
        for try await request in requests {
            do {
                let given = try bytes(id: request.id)
                switch request.action {
                case .wrap:
                    let wrapped = try await service.wrap(bytes: given, context: request.context)
                    try reply(id: request.id, keyId: wrapped.keyId, bytes: wrapped.bytes)
                case .unwrap:
                    let name = request.keyId ?? ""
                    let bytes = try await service.unwrap(bytes: given, keyId: name, context: request.context)
                    try reply(id: request.id, keyId: "", bytes: bytes)
                }
            } catch {
                // It was answered, or nobody waits for it any more.
                try? fail(id: request.id, reason: reason(error), code: (error as? PortbookError)?.code)
            }
        }
    }
}

extension HostRequest {
    /// Names the request.
    public var id: Int64 {
        switch self {
        case .listDir(let id, _, _), .look(let id, _), .readAt(let id, _, _, _), .writeAt(let id, _, _, _),
            .setModified(let id, _, _), .makeDir(let id, _), .rename(let id, _, _, _), .removeItem(let id, _), .flush(let id):
            return id
        }
    }
}

func reason(_ error: Error) -> String {
    (error as? PortbookError)?.text ?? String(describing: error)
}
