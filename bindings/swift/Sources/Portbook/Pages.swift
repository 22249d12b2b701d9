import Foundation

/// As many as a page may have.
private let page: UInt32 = 1000

/// What comes in pages, one after another. Each loop begins with the first page.
public struct Pages<Element>: AsyncSequence {
    /// The page that begins there, and where the next one does; none after the last.
    let read: (String?) async throws -> ([Element], String?)

    public struct AsyncIterator: AsyncIteratorProtocol {
        let read: (String?) async throws -> ([Element], String?)
        var ready: ArraySlice<Element> = []
        var after: String?
        var isLast = false

        public mutating func next() async throws -> Element? {
            while ready.isEmpty {
                if isLast { return nil }
                let (items, next) = try await read(after)
                ready = items[...]
                after = next
                isLast = next == nil
            }
            return ready.removeFirst()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(read: read) }
}

extension FileReader {
    /// The pieces of the file in their order.
    public var pieces: Each<Data> { Each { try await self.nextPiece() } }
}

extension Book {
    /// Every tenant, page after page.
    public func eachTenant() -> Pages<Tenant> {
        Pages { after in
            let tenants = try await self.tenants(after: after, limit: page)
            return (tenants, tenants.last?.id)
        }
    }
}

extension Session {
    /// Every preview of the filter, page after page.
    public func eachPreview(filter: PreviewFilter = PreviewFilter()) -> Pages<StoredPreview> {
        Pages { after in
            let got = try await self.previews(filter: filter, after: after, limit: page)
            return (got.previews, got.next)
        }
    }

    /// Every line of activity of the filter, page after page.
    public func eachActivity(filter: ActivityFilter = ActivityFilter()) -> Pages<Activity> {
        Pages { after in
            let got = try await self.activity(filter: filter, after: after, limit: page)
            return (got.lines, got.next)
        }
    }

    /// The progress of every run of the filter, page after page.
    public func eachProgress(filter: ProgressFilter = ProgressFilter()) -> Pages<StoredProgress> {
        Pages { after in
            let got = try await self.progress(filter: filter, after: after, limit: page)
            return (got.rows, got.next)
        }
    }

    /// Every failure of the filter, page after page.
    public func eachError(filter: ErrorFilter = ErrorFilter()) -> Pages<SyncError> {
        Pages { after in
            let got = try await self.errors(filter: filter, after: after, limit: page)
            return (got.errors, got.next)
        }
    }

    /// Every row of the filter, page after page. Each is a JSON object.
    public func eachRow(table: String, filter: RowFilter = RowFilter()) -> Pages<String> {
        Pages { after in
            let got = try await self.listRows(table: table, filter: filter, after: after, limit: page)
            return (got.rows, got.next)
        }
    }
}

extension Conduit {
    /// Every conflict that waits for a person, page after page.
    public func eachConflict() -> Pages<Conflict> {
        Pages { after in
            let conflicts = try await self.conflicts(after: after.flatMap(Int64.init), limit: page)
            return (conflicts, conflicts.last.map { String($0.id) })
        }
    }
}

extension Preview {
    /// Every change of the filter, in the order in which they are applied, page after page.
    public func eachChange(filter: ChangeFilter = ChangeFilter()) -> Pages<Change> {
        Pages { after in
            let got = try await self.changes(filter: filter, after: after, limit: page)
            return (got.changes, got.next)
        }
    }
}

extension Definition {
    /// Every row of a preview, in the order in which they are applied, page after page.
    public func eachChange(preview: RowPreview, kind: ChangeKind? = nil) -> Pages<PreviewedRow> {
        Pages { after in
            let got = try await self.changes(preview: preview.summary.id, kind: kind, after: after, limit: page)
            return (got.rows, got.next)
        }
    }

    /// Every row that waits for a person, page after page.
    public func eachConflict() -> Pages<RowConflict> {
        Pages { after in
            let conflicts = try await self.conflicts(after: after, limit: page)
            return (conflicts, conflicts.last?.id)
        }
    }
}

extension Volume {
    /// Every file of the filter, page after page.
    public func eachFile(filter: FileFilter = FileFilter()) -> Pages<StoredFile> {
        Pages { after in
            let got = try await self.list(filter: filter, after: after, limit: page)
            return (got.files, got.next)
        }
    }

    /// Every deleted file, page after page.
    public func eachDeleted() -> Pages<StoredFile> {
        Pages { after in
            let got = try await self.listDeleted(after: after, limit: page)
            return (got.files, got.next)
        }
    }
}
