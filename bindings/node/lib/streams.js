'use strict'

// What comes one after another, and what comes in pages, for `for await`.

const {
  Book, Conduit, Definition, FileReader, HostKeys, HostRecords, HostStore, Preview, ProgressWatch, Run, Session, Volume,
} = require('../native.js')

/** As many as a page may have. */
const PAGE = 1000

for (const [handle, next] of [
  [Run, 'nextEvent'],
  [ProgressWatch, 'nextRow'],
  [FileReader, 'nextPiece'],
  [HostStore, 'nextRequest'],
  [HostRecords, 'nextRequest'],
  [HostKeys, 'nextRequest'],
]) {
  handle.prototype[Symbol.asyncIterator] = async function* () {
    for (let one = await this[next](); one !== null && one !== undefined; one = await this[next]()) yield one
  }
}

// The method that gives a page, how many arguments stand before the place of the page, and where in it the items are; a page
// that is a list goes on after its last item.
for (const [handle, name, page, before, items] of [
  [Book, 'eachTenant', 'tenants', 0],
  [Session, 'eachPreview', 'previews', 1, 'previews'],
  [Session, 'eachActivity', 'activity', 1, 'lines'],
  [Session, 'eachProgress', 'progress', 1, 'rows'],
  [Session, 'eachError', 'errors', 1, 'errors'],
  [Session, 'eachRow', 'listRows', 2, 'rows'],
  [Conduit, 'eachConflict', 'conflicts', 0],
  [Definition, 'eachChange', 'changes', 2, 'rows'],
  [Definition, 'eachConflict', 'conflicts', 0],
  [Preview, 'eachChange', 'changes', 1, 'changes'],
  [Volume, 'eachFile', 'list', 1, 'files'],
  [Volume, 'eachDeleted', 'listDeleted', 0, 'files'],
]) {
  const each = async function* (...args) {
    const fixed = Array.from({ length: before }, (_, n) => args[n])
    const call = args[before] ?? {}
    let after
    do {
      const got = await this[page](...fixed, after, PAGE, call)
      const list = items ? got[items] : got
      yield* list
      after = items ? got.next : list.length === PAGE ? list.at(-1).id : undefined
    } while (after !== undefined && after !== null)
  }
  Object.defineProperty(each, 'name', { value: name })
  handle.prototype[name] = each
}

if (Symbol.asyncDispose) {
  Book.prototype[Symbol.asyncDispose] = function () {
    return this.shutdown()
  }
}
