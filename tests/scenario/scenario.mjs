// The story that every language tells: it prints the lines of expected.txt. The first argument is an empty directory.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Book, PortbookError, codes } from 'portbook'

const dir = process.argv[2]
const place = (name) => ({ type: 'directory', path: join(dir, name) })
const SHELF = { type: 'host', key: 'shelf' }

/** Prints the code of a call that fails. */
async function refused(what, call) {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof PortbookError)) throw error
    console.log(`${what}: ${error.code}`)
  }
}

/** Prints the outcome of a run. */
async function outcome(what, run) {
  const report = await refused(what, () => run.finish())
  if (!report) return
  const { counts, cancelled, isInStep } = report
  const { new: made, updated, failed } = counts
  console.log(`${what}: new ${made}, updated ${updated}, failed ${failed}, cancelled ${cancelled}, in step ${isInStep}`)
}

/** The host's own files: one directory in memory. */
class Shelf {
  files = new Map()
  isFull = false
  cancels = undefined // a run, cancelled at the next request

  entry(path) {
    if (path === '') return { name: '', kind: 'dir' }
    const bytes = this.files.get(path)
    return bytes && { name: path, kind: 'file', bytes: bytes.length, version: '1' }
  }
  listDir() {
    this.cancels?.cancel()
    return [...this.files.keys()].map((path) => this.entry(path))
  }
  look(path) {
    this.cancels?.cancel()
    return this.entry(path)
  }
  readAt(path, offset, length) {
    return this.files.get(path)?.subarray(offset, offset + length)
  }
  writeAt(path, offset, bytes) {
    if (this.isFull) throw Object.assign(new Error('the shelf is full'), { code: 'quota' })
    const before = offset === 0 ? [] : [this.files.get(path)]
    this.files.set(path, Buffer.concat([...before, bytes]))
  }
  makeDir() {}
  rename(path, to) {
    this.files.set(to, this.files.get(path))
    this.files.delete(path)
  }
  removeItem(path) {
    this.files.delete(path)
  }
}

/** The host's own tables: rows in memory. */
class Shop {
  tables = { orders: new Map(), copies: new Map() }
  isFull = false
  hasNotes = false

  describe(table) {
    const columns = [['id', 'integer'], ['name', 'text'], ['price', 'decimal']]
    if (this.hasNotes && table === 'copies') columns.push(['note', 'text'])
    return { columns: columns.map(([name, kind]) => ({ name, kind })), key: ['id'] }
  }
  scan(table) {
    return this.tables[table].values()
  }
  insert(table, rows) {
    if (this.isFull) throw Object.assign(new Error('the shop is full'), { code: 'quota' })
    for (const row of rows) this.tables[table].set(row.id, { ...this.tables[table].get(row.id), ...row })
  }
  update(table, key, rows) {
    this.insert(table, rows)
  }
  order(id, name, price) {
    this.tables.orders.set(id, { id, name, price })
  }
}

await mkdir(join(dir, 'source'))
await writeFile(join(dir, 'source/a.txt'), 'one')
await writeFile(join(dir, 'source/b.txt'), 'three')
await writeFile(join(dir, 'source/ö 日本.txt'), 'seven77')

// The codes are the same everywhere.
console.log(`codes: ${codes().map((code) => code.text).join(' ')}`)

// Books that cannot be opened.
const path = join(dir, 'book.db')
await refused('open nothing', () => Book.open({}))
const text = 'this is a text, and longer than the header of a database, so that nobody takes it for a new one'
await writeFile(join(dir, 'no.book'), text)
await refused('open a text', () => Book.open({ path: join(dir, 'no.book') }))
await refused('open with 2^53 bytes', () => Book.open({ path, memoryBytes: 2 ** 53 }))
const book = await Book.open({ path, memoryBytes: 2 ** 53 - 1 })
console.log('open with 2^53 - 1 bytes: ok')
const second = await Book.open({ path })
console.log('open it again: ok')
await second.shutdown()

// What would change, and which of it is wanted.
const session = await book.defaultSession()
let conduit = await session.connect(place('source'), place('target'))
const preview = await conduit.preview()
const { counts, bytes } = await preview.summary()
console.log(`preview: new ${counts.new}, bytes ${bytes}`)
const { changes } = await preview.changes()
for (const { kind, action, path, bytes, movedFrom = null } of changes) {
  console.log(`change: ${kind} ${action} ${path}, bytes ${bytes}, moved from ${movedFrom}`)
}
await preview.tick([changes[0].id], false)

// It is applied: the events in their order, then the outcome, twice.
const run = conduit.apply(preview.id())
for await (const event of run) {
  if (event.type === 'planned') console.log(`event: planned, new ${event.summary.counts.new}`)
  if (event.type === 'applied') {
    for (const { path, bytes } of event.items) console.log(`event: applied ${path}, bytes ${bytes}`)
  }
}
const isSame = isDeepStrictEqual(await run.finish(), await run.finish())
console.log(`the outcome is told again: ${isSame ? 'yes' : 'no'}`)
await outcome('apply', run)
await outcome('apply it again', conduit.apply(preview.id()))

// What was not ticked is still to be done, and then nothing is.
await outcome('sync', conduit.sync())
await outcome('sync once more', conduit.sync())

// Files that the host holds itself.
const store = session.hostStore('shelf')
await refused('a second store of that key', () => session.hostStore('shelf'))
conduit = await session.connect(place('source'), SHELF)
const shelf = new Shelf()
shelf.cancels = conduit.sync()
const served = store.serve(shelf)
await outcome('sync to the host, cancelled', shelf.cancels)
shelf.cancels = undefined
shelf.isFull = true
await outcome('sync to a host that fails', conduit.sync())
shelf.isFull = false
await outcome('sync to the host', conduit.sync())
await refused('an answer that nobody waits for', () => store.reply(1, { type: 'done' }))
store.shutdown()
await served
for (const name of ['a.txt', 'b.txt', 'ö 日本.txt']) console.log(`the host holds ${name}: ${shelf.files.get(name)}`)

// Rows that the host holds itself.
const [orders, copies] = ['orders', 'copies'].map((table) => ({ type: 'host', key: 'shop', table }))
const shop = new Shop()
shop.order(1, 'one', '1.50')
shop.order(2, 'zwei', 2n ** 53n + 1n)
shop.order(3, 'ö 日本', null)
const tables = session.hostRecords('shop')
await refused('a second store of tables of that key', () => session.hostRecords('shop'))
const sold = tables.serve(shop)
let definition = await session.connectRecords(orders, copies)
const previewed = await definition.preview()
console.log(`preview of rows: new ${previewed.summary.counts.new}, of ${previewed.sourceRows}`)
const { rows } = await definition.changes(previewed.summary.id)
for (const { kind, action, row } of rows) console.log(`row: ${kind} ${action} ${row}`)
await definition.tick(previewed.summary.id, [rows[0].id], false)
await outcome('apply rows', definition.apply(previewed.summary.id))
await outcome('sync rows', definition.sync())
await outcome('sync rows once more', definition.sync())
shop.order(2, 'two', 2n ** 53n + 1n)
await outcome('sync rows, one changed', definition.sync())
shop.order(1, 'one', true)
await outcome('sync rows, one of another kind', definition.sync())
shop.order(1, 'uno', '1.50')
shop.isFull = true
await outcome('sync rows to a host that fails', definition.sync())
shop.order(1, 'one', '1.50')
console.log(`verify rows: ${(await definition.verify()).status}`)
for (const id of [1, 2, 3]) {
  const { name, price } = shop.tables.copies.get(id)
  console.log(`the host holds row ${id}: ${name}, ${price}`)
}

// A row that both sides have changed waits for a person, who takes something of both.
definition = await session.connectRecords(orders, copies, { mode: 'two_way', policy: 'manual' })
shop.order(3, 'drei', null)
shop.tables.copies.set(3, { id: 3, name: 'ö 日本', price: '3' })
shop.isFull = false
await outcome('sync rows, one changed on both sides', definition.sync())
const [met] = await definition.conflicts()
console.log(`conflict: row ${met.row}, at source ${met.isAtSource}, at target ${met.isAtTarget}`)
for (const { target, sourceValue, targetValue, isSame } of (await definition.inspectConflict(met.id)).fields) {
  if (!isSame) console.log(`field: ${target}, ${sourceValue} at the source, ${targetValue} at the target`)
}
const choice = { type: 'merge', targetColumns: ['price'] }
await refused('decide about what was not seen', () => definition.resolveConflict(met.id, '0', choice))
await definition.resolveConflict(met.id, met.mark, choice)
const decided = await definition.preview()
for await (const { kind, action, row } of definition.eachChange(decided.summary.id)) console.log(`row: ${kind} ${action} ${row}`)
await outcome('sync rows, as decided', definition.sync())
console.log(`conflicts that wait: ${(await definition.conflicts()).length}`)
const [mine, theirs] = [shop.tables.orders, shop.tables.copies].map((rows) => rows.get(3))
if (isDeepStrictEqual(mine, theirs)) console.log(`both hold row 3: ${mine.name}, ${mine.price}`)

// What has changed about a table is told until a run has gone over it.
shop.hasNotes = true
for (const { side, change, effect } of await definition.drift()) {
  console.log(`drift: ${side} ${change.kind} ${change.name}, ${effect}`)
}
await outcome('sync rows, with a column more', definition.sync())
console.log(`drift that is left: ${(await definition.drift()).length}`)
tables.shutdown()
await sold

// What is not there, and what has ended.
await refused('a preview that is not there', () => session.preview('00000000-0000-0000-0000-000000000000'))
await refused('a store that has ended', () => session.connect(SHELF, place('target')))
await refused('tables of a store that has ended', () => session.connectRecords(orders, copies))
await book.shutdown()
await book.shutdown()
console.log('shutdown, twice: ok')
await refused('use after shutdown', () => session.history(1))
