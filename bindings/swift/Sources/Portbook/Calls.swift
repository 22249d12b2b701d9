extension Session {
    /// `connect` with the options that a conduit has when none are given.
    public func connect(source: Place, target: Place) async throws -> Conduit {
        try await connect(source: source, target: target, options: ConduitOptions())
    }

    /// `verify` of what takes part in the sync of the two places.
    public func verify(source: Place, target: Place) async throws -> VerifyReport {
        try await verify(source: source, target: target, options: VerifyOptions())
    }

    /// `hostStore` of files that are like those of a disk.
    public func hostStore(key: String) throws -> HostStore {
        try hostStore(key: key, options: HostOptions())
    }
}

extension Session {
    /// `connectRecords` with the options that a definition has when none are given.
    public func connectRecords(source: RecordPlace, target: RecordPlace) async throws -> Definition {
        try await connectRecords(source: source, target: target, options: RecordOptions())
    }

    /// `inspectDatabase` of one that lets everybody in, or whom the URL names.
    public func inspectDatabase(url: String) async throws -> [TableEntry] {
        try await inspectDatabase(url: url, access: Access())
    }

    /// `introspectDatabase` of one that lets everybody in, or whom the URL names.
    public func introspectDatabase(url: String) async throws -> Introspection {
        try await introspectDatabase(url: url, access: Access())
    }

    /// `hostRecords` of tables without versions.
    public func hostRecords(key: String) throws -> HostRecords {
        try hostRecords(key: key, options: HostRecordOptions())
    }
}

extension Definition {
    /// `preview` by what the ledger says of the target.
    public func preview() async throws -> RowPreview {
        try await preview(options: RowPreviewOptions())
    }

    /// `apply` of a preview as it stands.
    public func apply(_ preview: RowPreview, options: RowApplyOptions = RowApplyOptions()) throws -> Run {
        try apply(preview: preview.summary.id, options: options)
    }

    /// `sync` by what the ledger says of the target.
    public func sync() throws -> Run {
        try sync(preview: RowPreviewOptions(), options: RowApplyOptions())
    }
}

extension Conduit {
    /// `preview` of everything.
    public func preview() async throws -> Preview {
        try await preview(options: PreviewOptions())
    }

    /// `apply` of a preview as it stands.
    public func apply(_ preview: Preview, options: ApplyOptions = ApplyOptions()) throws -> Run {
        try apply(preview: preview.id(), options: options)
    }

    /// `sync` of everything.
    public func sync() throws -> Run {
        try sync(preview: PreviewOptions(), options: ApplyOptions())
    }
}
