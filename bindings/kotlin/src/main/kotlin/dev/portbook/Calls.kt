package dev.portbook

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.withContext

/** [Session.connect] with the options that a conduit has when none are given. */
suspend fun Session.connect(source: Place, target: Place): Conduit = connect(source, target, ConduitOptions())

/** [Session.verify] of what takes part in the sync of the two places. */
suspend fun Session.verify(source: Place, target: Place): VerifyReport = verify(source, target, VerifyOptions())

/** [Session.hostStore] of files that are like those of a disk. */
fun Session.hostStore(key: String): HostStore = hostStore(key, HostOptions())

/** [Session.connectRecords] with the options that a definition has when none are given. */
suspend fun Session.connectRecords(source: RecordPlace, target: RecordPlace): Definition =
    connectRecords(source, target, RecordOptions())

/** [Session.inspectDatabase] of one that lets everybody in, or whom the URL names. */
suspend fun Session.inspectDatabase(url: String): List<TableEntry> = inspectDatabase(url, Access())

/** [Session.introspectDatabase] of one that lets everybody in, or whom the URL names. */
suspend fun Session.introspectDatabase(url: String): Introspection = introspectDatabase(url, Access())

/** [Session.hostRecords] of tables without versions. */
fun Session.hostRecords(key: String): HostRecords = hostRecords(key, HostRecordOptions())

/** [Definition.preview] by what the ledger says of the target. */
suspend fun Definition.preview(): RowPreview = preview(RowPreviewOptions())

/** [Definition.apply] of a preview as it stands. */
fun Definition.apply(preview: RowPreview, options: RowApplyOptions = RowApplyOptions()): Run = apply(preview.summary.id, options)

/** [Definition.sync] by what the ledger says of the target. */
fun Definition.sync(): Run = sync(RowPreviewOptions(), RowApplyOptions())

/** [Conduit.preview] of everything. */
suspend fun Conduit.preview(): Preview = preview(PreviewOptions())

/** [Conduit.apply] of a preview as it stands. */
fun Conduit.apply(preview: Preview, options: ApplyOptions = ApplyOptions()): Run = apply(preview.id(), options)

/** [Conduit.sync] of everything. */
fun Conduit.sync(): Run = sync(PreviewOptions(), ApplyOptions())

/**
 * Waits for the end, as [Run.finish] does. A coroutine that is cancelled meanwhile cancels the run as well, and goes on when
 * that has ended; after [Run.finish] alone it would go on by itself.
 */
suspend fun Run.finishOrCancel(): RunReport =
    try {
        finish()
    } catch (cancelled: CancellationException) {
        cancel()
        withContext(NonCancellable) { runCatching { finish() } }
        throw cancelled
    }

/** Does something with the book, and shuts it down in the end, also when the coroutine was cancelled. */
suspend inline fun <R> Book.useThenShutdown(block: (Book) -> R): R =
    try {
        block(this)
    } finally {
        withContext(NonCancellable) { shutdown() }
        close()
    }
