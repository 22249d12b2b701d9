/// What comes one after another: each is given to one reader.
public struct Each<Element>: AsyncSequence {
    let next: () async throws -> Element?

    public struct AsyncIterator: AsyncIteratorProtocol {
        let take: () async throws -> Element?

        public mutating func next() async throws -> Element? { try await take() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(take: next) }
}

extension Run {
    /// The events, to the last one. Who leaves the loop leaves the run waiting for its events to be taken: cancel or finish it.
    public var events: Each<RunEvent> { Each { try await self.nextEvent() } }
}

extension ProgressWatch {
    /// The progress, until the run completes.
    public var rows: Each<StoredProgress> { Each { try await self.nextRow() } }
}

extension HostStore {
    /// The requests, to the end of the store.
    public var requests: Each<HostRequest> { Each { try await self.nextRequest() } }
}

extension HostRecords {
    /// The requests, to the end of the store.
    public var requests: Each<RecordRequest> { Each { try await self.nextRequest() } }
}

extension HostKeys {
    /// The requests, until they end.
    public var requests: Each<KeyRequest> { Each { try await self.nextRequest() } }
}
