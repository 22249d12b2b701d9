package dev.portbook

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * The next event; none after the last. Progress is skipped when nobody reads; what was applied and what failed never is: from
 * the first call on the run waits for its events to be taken, until [Run.finish] drops what is unread. A wait that is given up
 * loses no event.
 */
@Throws(PortbookException::class)
suspend fun Run.nextEvent(): RunEvent? {
    while (hasEvent()) takeEvent()?.let { return it }
    return null
}

/** The run's progress: at once the first time, then whenever it has changed; none after the row that completes it. */
@Throws(PortbookException::class)
suspend fun ProgressWatch.nextRow(): StoredProgress? {
    while (hasRow()) takeRow()?.let { return it }
    return null
}

/** The next piece; none after the last, and after an error. */
@Throws(PortbookException::class)
suspend fun FileReader.nextPiece(): ByteArray? {
    while (hasPiece()) takePiece()?.let { return it }
    return null
}

/** The next request; none after the end. A wait that is given up loses none. */
@Throws(PortbookException::class)
suspend fun HostStore.nextRequest(): HostRequest? {
    while (hasRequest()) takeRequest()?.let { return it }
    return null
}

/** The next request; none after the end. A wait that is given up loses none. */
@Throws(PortbookException::class)
suspend fun HostRecords.nextRequest(): RecordRequest? {
    while (hasRequest()) takeRequest()?.let { return it }
    return null
}

/** The next request; none after [HostKeys.shutdown]. A wait that is given up loses none. */
@Throws(PortbookException::class)
suspend fun HostKeys.nextRequest(): KeyRequest? {
    while (hasRequest()) takeRequest()?.let { return it }
    return null
}

/**
 * The events, to the last one. Who stops collecting leaves the run waiting for its events to be taken: cancel or finish it. A
 * collector that is cancelled may lose the event that was on its way to it; [nextEvent] loses none.
 */
fun Run.events(): Flow<RunEvent> = each { nextEvent() }

/** The progress, until the run completes. */
fun ProgressWatch.rows(): Flow<StoredProgress> = each { nextRow() }

/** The pieces of the file in their order. */
fun FileReader.pieces(): Flow<ByteArray> = each { nextPiece() }

/** Every tenant, page after page. */
fun Book.eachTenant(): Flow<Tenant> = flow {
    var after: String? = null
    do {
        val page = tenants(after, PAGE)
        for (tenant in page) emit(tenant)
        after = page.lastOrNull()?.id
    } while (after != null)
}

/** Every preview of the filter, page after page. */
fun Session.eachPreview(filter: PreviewFilter = PreviewFilter()): Flow<StoredPreview> =
    pages({ previews(filter, it, PAGE) }, { it.previews }, { it.next })

/** Every line of activity of the filter, page after page. */
fun Session.eachActivity(filter: ActivityFilter = ActivityFilter()): Flow<Activity> =
    pages({ activity(filter, it, PAGE) }, { it.lines }, { it.next })

/** The progress of every run of the filter, page after page. */
fun Session.eachProgress(filter: ProgressFilter = ProgressFilter()): Flow<StoredProgress> =
    pages({ progress(filter, it, PAGE) }, { it.rows }, { it.next })

/** Every failure of the filter, page after page. */
fun Session.eachError(filter: ErrorFilter = ErrorFilter()): Flow<SyncError> =
    pages({ errors(filter, it, PAGE) }, { it.errors }, { it.next })

/** Every row of the filter, page after page. Each is a JSON object. */
fun Session.eachRow(table: String, filter: RowFilter = RowFilter()): Flow<String> =
    pages({ listRows(table, filter, it, PAGE) }, { it.rows }, { it.next })

/** Every conflict that waits for a person, page after page. */
fun Conduit.eachConflict(): Flow<Conflict> = flow {
    var after: Long? = null
    do {
        val page = conflicts(after, PAGE)
        for (conflict in page) emit(conflict)
        after = page.lastOrNull()?.id
    } while (after != null)
}

/** Every change of the filter, in the order in which they are applied, page after page. */
fun Preview.eachChange(filter: ChangeFilter = ChangeFilter()): Flow<Change> =
    pages({ changes(filter, it, PAGE) }, { it.changes }, { it.next })

/** Every row of a preview, in the order in which they are applied, page after page. */
fun Definition.eachChange(preview: RowPreview, kind: ChangeKind? = null): Flow<PreviewedRow> =
    pages({ changes(preview.summary.id, kind, it, PAGE) }, { it.rows }, { it.next })

/** Every row that waits for a person, page after page. */
fun Definition.eachConflict(): Flow<RowConflict> = flow {
    var after: String? = null
    do {
        val page = conflicts(after, PAGE)
        for (conflict in page) emit(conflict)
        after = page.lastOrNull()?.id
    } while (after != null)
}

/** Every file of the filter, page after page. */
fun Volume.eachFile(filter: FileFilter = FileFilter()): Flow<StoredFile> =
    pages({ list(filter, it, PAGE) }, { it.files }, { it.next })

/** Every deleted file, page after page. */
fun Volume.eachDeleted(): Flow<StoredFile> = pages({ listDeleted(it, PAGE) }, { it.files }, { it.next })

/** As many as a page may have. */
private const val PAGE = 1000u

private fun <T : Any> each(next: suspend () -> T?): Flow<T> = flow {
    while (true) emit(next() ?: break)
}

private fun <P, T> pages(page: suspend (String?) -> P, items: (P) -> List<T>, next: (P) -> String?): Flow<T> = flow {
    var after: String? = null
    do {
        val got = page(after)
        for (item in items(got)) emit(item)
        after = next(got)
    } while (after != null)
}
