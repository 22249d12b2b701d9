/// Tables that a host holds: what each request asks for is said at `RecordRequest`. A source needs the first two. Rows and keys are JSON
/// objects: what their values look like is said at `DatumKind`.
public protocol RecordSource: Sendable {
    /// What a table looks like; nil when there is none.
    func describe(table: String) async throws -> HostTable?
    /// A page of all rows, of `limit` at most, which begins `after` the place where the page before ended: `rows`.
    func scan(table: String, columns: [String], after: String?, limit: Int64) async throws -> RecordAnswer
    /// The rows with these keys; those that are not there are left out. Without it all rows are read instead.
    func fetch(table: String, columns: [String], keys: [String]) async throws -> [String]
    /// A page of what has changed since that cursor, of all rows without one: `changes`. Only asked of a store that `hasChanges`.
    func changes(table: String, columns: [String], since: String?, after: String?, limit: Int64) async throws -> RecordAnswer
    /// Makes rows. Nil when all are written, else what became of each; one whose key is there already is `exists`.
    func insert(table: String, key: [String], rows: [String]) async throws -> [WrittenRow]?
    /// Changes rows, found by the columns of the key, in the columns that are given; one that is not there is `gone`.
    func update(table: String, key: [String], rows: [String]) async throws -> [WrittenRow]?
    /// Takes rows out.
    func delete(table: String, keys: [String]) async throws -> [WrittenRow]?
}

extension RecordSource {
    public func fetch(table: String, columns: [String], keys: [String]) async throws -> [String] {
        throw cannot("look rows up by their keys")
    }
    public func changes(table: String, columns: [String], since: String?, after: String?, limit: Int64) async throws -> RecordAnswer {
        throw cannot("tell what has changed")
    }
    public func insert(table: String, key: [String], rows: [String]) async throws -> [WrittenRow]? { throw cannot("make rows") }
    public func update(table: String, key: [String], rows: [String]) async throws -> [WrittenRow]? { throw cannot("change rows") }
    public func delete(table: String, keys: [String]) async throws -> [WrittenRow]? { throw cannot("take rows out") }

    private func cannot(_ what: String) -> PortbookError { PortbookError.Unsupported(message: "the host does not \(what)") }
}

extension HostRecords {
    /// Answers every request from this source, beside each other, until the store ends. What a method throws is the answer: with the
    /// code of a `PortbookError`, and `host` otherwise.
    public func serve<Source: RecordSource>(_ source: Source) async throws {
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
                        try self.reply(id: request.id, answer: await self.answer(request, source))
                    } catch {
                        // It was answered, or nobody waits for it any more.
                        try? self.fail(id: request.id, reason: reason(error), code: (error as? PortbookError)?.code)
                    }
                }
            }
        }
    }

    private func answer<Source: RecordSource>(_ request: RecordRequest, _ source: Source) async throws -> RecordAnswer {
        switch request {
        case .describe(_, let table):
            return try await source.describe(table: table).map { RecordAnswer.described(table: $0) } ?? .absent
        case .scan(_, let table, let columns, let after, let limit):
            return try await source.scan(table: table, columns: columns, after: after, limit: limit)
        case .fetch(_, let table, let columns, let keys):
            return .rows(rows: try await source.fetch(table: table, columns: columns, keys: keys), next: nil)
        case .changes(_, let table, let columns, _, let since, let after, let limit):
            return try await source.changes(table: table, columns: columns, since: since, after: after, limit: limit)
        case .insert(_, let table, let key, let rows):
            return written(try await source.insert(table: table, key: key, rows: rows))
        case .update(_, let table, let key, let rows):
            return written(try await source.update(table: table, key: key, rows: rows))
        case .delete(_, let table, let keys):
            return written(try await source.delete(table: table, keys: keys))
        }
    }

    private func written(_ outcomes: [WrittenRow]?) -> RecordAnswer {
        outcomes.map { RecordAnswer.written(outcomes: $0) } ?? .done
    }
}

extension RecordRequest {
    /// Names the request.
    public var id: Int64 {
        switch self {
        case .describe(let id, _), .scan(let id, _, _, _, _), .fetch(let id, _, _, _), .changes(let id, _, _, _, _, _, _),
            .insert(let id, _, _, _), .update(let id, _, _, _), .delete(let id, _, _):
            return id
        }
    }
}
