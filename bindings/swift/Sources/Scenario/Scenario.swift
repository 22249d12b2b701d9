// The story that every language tells: it prints the lines of expected.txt. The argument is an empty directory.

import Foundation
import Portbook

private let directory = URL(fileURLWithPath: CommandLine.arguments[1])

private func place(_ name: String) -> Place { .directory(path: directory.appendingPathComponent(name).path) }

private let shelfPlace = Place.host(key: "shelf")

/// Prints the code of a call that fails.
private func refused(_ what: String, _ call: () async throws -> Void) async throws {
    do {
        try await call()
    } catch let error as PortbookError {
        print("\(what): \(error.code.text)")
    }
}

/// Prints the outcome of a run.
private func outcome(_ what: String, _ run: Run) async throws {
    try await refused(what) {
        let report = try await run.finish()
        let counts = "new \(report.counts.new), updated \(report.counts.updated), failed \(report.counts.failed)"
        print("\(what): \(counts), cancelled \(report.cancelled), in step \(report.isInStep)")
    }
}

/// The host's own files: one directory in memory.
private actor Shelf: HostFiles {
    var files: [String: Data] = [:]
    var isFull = false
    var cancels: Run?  // cancelled at the next request

    func set(isFull: Bool, cancels: Run?) {
        self.isFull = isFull
        self.cancels = cancels
    }

    private func entry(_ path: String) -> HostEntry? {
        if path.isEmpty { return HostEntry(name: "", kind: .dir) }
        return files[path].map { HostEntry(name: path, kind: .file, bytes: Int64($0.count), version: "1") }
    }

    func listDir(path: String, after: String?) -> HostAnswer {
        cancels?.cancel()
        return .listing(entries: files.keys.compactMap(entry), next: nil)
    }

    func look(path: String) -> HostEntry? {
        cancels?.cancel()
        return entry(path)
    }

    func readAt(path: String, offset: Int64, length: Int64) -> Data? {
        files[path].map { Data($0.dropFirst(Int(offset)).prefix(Int(length))) }
    }

    func writeAt(path: String, offset: Int64, bytes: Data) throws {
        if isFull { throw PortbookError.Quota(message: "the shelf is full") }
        files[path] = offset == 0 ? bytes : files[path, default: Data()] + bytes
    }

    func makeDir(path: String) {}

    func rename(path: String, to: String, replace: Bool) {
        files[to] = files.removeValue(forKey: path)
    }

    func removeItem(path: String) {
        files.removeValue(forKey: path)
    }
}

/// The host's own tables: rows in memory, each a JSON object.
private actor Shop: RecordSource {
    private(set) var orders: [Int: String] = [:]
    private(set) var copies: [Int: String] = [:]
    private var isFull = false
    private var hasNotes = false

    func set(isFull: Bool) { self.isFull = isFull }

    func beginNotes() { hasNotes = true }

    private func row(_ id: Int, _ name: String, _ price: String) -> String {
        "{\"id\":\(id),\"name\":\"\(name)\",\"price\":\(price)}"
    }

    func order(_ id: Int, _ name: String, _ price: String) { orders[id] = row(id, name, price) }

    func change(_ id: Int, _ name: String, _ price: String) { copies[id] = row(id, name, price) }

    func describe(table: String) -> HostTable? {
        var columns = [
            HostColumn(name: "id", kind: .integer), HostColumn(name: "name", kind: .text), HostColumn(name: "price", kind: .decimal),
        ]
        if hasNotes && table == "copies" { columns.append(HostColumn(name: "note", kind: .text)) }
        return HostTable(columns: columns, key: ["id"])
    }

    func scan(table: String, columns: [String], after: String?, limit: Int64) -> RecordAnswer {
        let rows = table == "orders" ? orders : copies
        return .rows(rows: rows.sorted { $0.key < $1.key }.map { $0.value }, next: nil)
    }

    func insert(table: String, key: [String], rows: [String]) throws -> [WrittenRow]? {
        if isFull { throw PortbookError.Quota(message: "the shop is full") }
        for row in rows {
            let id = Int(field(row, "id")) ?? 0
            if table == "orders" { orders[id] = changed(orders[id], row) } else { copies[id] = changed(copies[id], row) }
        }
        return nil
    }

    func update(table: String, key: [String], rows: [String]) throws -> [WrittenRow]? {
        try insert(table: table, key: key, rows: rows)
    }
}

/// A row with the columns that are given.
private func changed(_ row: String?, _ given: String) -> String {
    let columns = ["id", "name", "price"].map { name -> String in
        let from = given.contains("\"\(name)\":") ? given : row ?? given
        return "\"\(name)\":" + json(from, name)
    }
    return "{" + columns.joined(separator: ",") + "}"
}

/// What stands at a field of a row: enough of a parser for what is printed here.
private func json(_ row: String, _ name: String) -> String {
    row.components(separatedBy: "\"\(name)\":")[1].components(separatedBy: [",", "}"])[0]
}

/// The same without its quotes.
private func field(_ row: String, _ name: String) -> String { json(row, name).components(separatedBy: "\"").joined() }

@main
struct Scenario {
    static func main() async throws {
        try FileManager.default.createDirectory(at: directory.appendingPathComponent("source"), withIntermediateDirectories: true)
        for (name, content) in [("a.txt", "one"), ("b.txt", "three"), ("ö 日本.txt", "seven77")] {
            try Data(content.utf8).write(to: directory.appendingPathComponent("source").appendingPathComponent(name))
        }

        // The codes are the same everywhere.
        print("codes: " + codes().map { $0.text }.joined(separator: " "))

        // Books that cannot be opened.
        let path = directory.appendingPathComponent("book.db").path
        let noBook = directory.appendingPathComponent("no.book")
        try await refused("open nothing") { _ = try await Book.open(options: BookOptions()) }
        let text = "this is a text, and longer than the header of a database, so that nobody takes it for a new one"
        try Data(text.utf8).write(to: noBook)
        try await refused("open a text") { _ = try await Book.open(options: BookOptions(path: noBook.path)) }
        try await refused("open with 2^53 bytes") {
            _ = try await Book.open(options: BookOptions(path: path, memoryBytes: 1 << 53))
        }
        let book = try await Book.open(options: BookOptions(path: path, memoryBytes: (1 << 53) - 1))
        print("open with 2^53 - 1 bytes: ok")
        let second = try await Book.open(options: BookOptions(path: path))
        print("open it again: ok")
        try await second.shutdown()

        // What would change, and which of it is wanted.
        let session = try await book.defaultSession()
        var conduit = try await session.connect(source: place("source"), target: place("target"))
        let preview = try await conduit.preview()
        let summary = try await preview.summary()
        print("preview: new \(summary.counts.new), bytes \(summary.bytes)")
        var changes: [Change] = []
        for try await change in preview.eachChange() {
            let bytes = change.bytes.map { String($0) } ?? "null"
            print("change: \(change.kind) \(change.action) \(change.path), bytes \(bytes), moved from \(change.movedFrom ?? "null")")
            changes.append(change)
        }
        try await preview.tick(changes: [changes[0].id], ticked: false)

        // It is applied: the events in their order, then the outcome, twice.
        let run = try conduit.apply(preview)
        for try await event in run.events {
            switch event {
            case .planned(let summary): print("event: planned, new \(summary.counts.new)")
            case .applied(let items): for item in items { print("event: applied \(item.path), bytes \(item.bytes)") }
            default: break
            }
        }
        let (first, again) = (try await run.finish(), try await run.finish())
        print("the outcome is told again: \(first == again ? "yes" : "no")")
        try await outcome("apply", run)
        try await outcome("apply it again", try conduit.apply(preview))

        // What was not ticked is still to be done, and then nothing is.
        try await outcome("sync", try conduit.sync())
        try await outcome("sync once more", try conduit.sync())

        // Files that the host holds itself.
        let store = try session.hostStore(key: "shelf")
        try await refused("a second store of that key") { _ = try session.hostStore(key: "shelf") }
        conduit = try await session.connect(source: place("source"), target: shelfPlace)
        let shelf = Shelf()
        let cancelled = try conduit.sync()
        await shelf.set(isFull: false, cancels: cancelled)
        let serving = Task { try await store.serve(shelf) }
        try await outcome("sync to the host, cancelled", cancelled)
        await shelf.set(isFull: true, cancels: nil)
        try await outcome("sync to a host that fails", try conduit.sync())
        await shelf.set(isFull: false, cancels: nil)
        try await outcome("sync to the host", try conduit.sync())
        try await refused("an answer that nobody waits for") { try store.reply(id: 1, answer: .done) }
        store.shutdown()
        try await serving.value
        for (name, bytes) in await shelf.files.sorted(by: { $0.key < $1.key }) {
            print("the host holds \(name): \(String(decoding: bytes, as: UTF8.self))")
        }

        // Rows that the host holds itself.
        let orders = RecordPlace.host(key: "shop", table: "orders")
        let copies = RecordPlace.host(key: "shop", table: "copies")
        let shop = Shop()
        await shop.order(1, "one", "\"1.50\"")
        await shop.order(2, "zwei", "\"9007199254740993\"")
        await shop.order(3, "ö 日本", "null")
        let tables = try session.hostRecords(key: "shop")
        try await refused("a second store of tables of that key") { _ = try session.hostRecords(key: "shop") }
        let selling = Task { try await tables.serve(shop) }
        var definition = try await session.connectRecords(source: orders, target: copies)
        let previewed = try await definition.preview()
        print("preview of rows: new \(previewed.summary.counts.new), of \(previewed.sourceRows)")
        var rows: [PreviewedRow] = []
        for try await row in definition.eachChange(preview: previewed) {
            print("row: \(row.kind) \(row.action) \(row.row)")
            rows.append(row)
        }
        try await definition.tick(preview: previewed.summary.id, changes: [rows[0].id], ticked: false)
        try await outcome("apply rows", try definition.apply(previewed))
        try await outcome("sync rows", try definition.sync())
        try await outcome("sync rows once more", try definition.sync())
        await shop.order(2, "two", "\"9007199254740993\"")
        try await outcome("sync rows, one changed", try definition.sync())
        await shop.order(1, "one", "true")
        try await outcome("sync rows, one of another kind", try definition.sync())
        await shop.order(1, "uno", "\"1.50\"")
        await shop.set(isFull: true)
        try await outcome("sync rows to a host that fails", try definition.sync())
        await shop.order(1, "one", "\"1.50\"")
        print("verify rows: \(try await definition.verify().status)")
        for (id, row) in await shop.copies.sorted(by: { $0.key < $1.key }) {
            print("the host holds row \(id): \(field(row, "name")), \(field(row, "price"))")
        }

        // A row that both sides have changed waits for a person, who takes something of both.
        let options = RecordOptions(mode: .twoWay, policy: .manual)
        definition = try await session.connectRecords(source: orders, target: copies, options: options)
        await shop.order(3, "drei", "null")
        await shop.change(3, "ö 日本", "3")
        await shop.set(isFull: false)
        try await outcome("sync rows, one changed on both sides", try definition.sync())
        let decider = definition
        for met in try await decider.conflicts(after: nil, limit: 1000) {
            print("conflict: row \(met.row), at source \(met.isAtSource), at target \(met.isAtTarget)")
            for field in try await decider.inspectConflict(id: met.id).fields where !field.isSame {
                let (mine, theirs) = (field.sourceValue ?? "none", field.targetValue ?? "none")
                print("field: \(field.target), \(mine) at the source, \(theirs) at the target")
            }
            let choice = RowChoice.merge(targetColumns: ["price"])
            try await refused("decide about what was not seen") {
                try await decider.resolveConflict(id: met.id, mark: "0", choice: choice)
            }
            try await decider.resolveConflict(id: met.id, mark: met.mark, choice: choice)
        }
        let decided = try await decider.preview()
        for try await row in decider.eachChange(preview: decided) {
            print("row: \(row.kind) \(row.action) \(row.row)")
        }
        try await outcome("sync rows, as decided", try decider.sync())
        var waiting = 0
        for try await _ in decider.eachConflict() { waiting += 1 }
        print("conflicts that wait: \(waiting)")
        let (mine, theirs) = (await shop.orders[3] ?? "", await shop.copies[3] ?? "")
        if field(mine, "name") == field(theirs, "name") && field(mine, "price") == field(theirs, "price") {
            print("both hold row 3: \(field(mine, "name")), \(field(mine, "price"))")
        }

        // What has changed about a table is told until a run has gone over it.
        await shop.beginNotes()
        for drift in try await decider.drift() {
            print("drift: \(drift.side) \(drift.change.kind) \(drift.change.name), \(drift.effect)")
        }
        try await outcome("sync rows, with a column more", try decider.sync())
        print("drift that is left: \(try await decider.drift().count)")
        tables.shutdown()
        try await selling.value

        // What is not there, and what has ended.
        try await refused("a preview that is not there") {
            _ = try await session.preview(id: "00000000-0000-0000-0000-000000000000")
        }
        try await refused("a store that has ended") {
            _ = try await session.connect(source: shelfPlace, target: place("target"))
        }
        try await refused("tables of a store that has ended") {
            _ = try await session.connectRecords(source: orders, target: copies)
        }
        try await book.shutdown()
        try await book.shutdown()
        print("shutdown, twice: ok")
        try await refused("use after shutdown") { _ = try await session.history(limit: 1) }
    }
}
