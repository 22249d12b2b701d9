// Rows that only this program knows, kept in step with a table of a database: rows.mts BOOK sqlite:///path/to/file.db/table

import { Book, PortbookError } from 'portbook'
import type { RecordSource, Row } from 'portbook'

const [path, url] = process.argv.slice(2)
if (path === undefined || url === undefined) throw new Error('usage: rows.mts BOOK URL')

const orders = [{ id: 1, total: '12.50', at: new Date('2026-11-22T10:00:00Z') }, { id: 2, total: '7', at: new Date() }]
const source: RecordSource = {
  describe: (table) =>
    table === 'orders'
      ? { columns: [{ name: 'id', kind: 'integer' }, { name: 'total', kind: 'decimal' }, { name: 'at', kind: 'instant' }], key: ['id'] }
      : null,
  async *scan(): AsyncGenerator<Row> {
    for (const order of orders) yield { ...order }
  },
}

const book = await Book.open({ path })
const session = await book.defaultSession()
const store = session.hostRecords('shop', { display: 'the shop' })
const served = store.serve(source)
try {
  const definition = await session.connectRecords({ type: 'host', key: 'shop', table: 'orders' }, { type: 'table', url })
  const { summary, blind } = await definition.preview()
  for await (const { kind, action, row, reason } of definition.eachChange(summary.id)) console.log(kind, action, row, reason ?? '')
  if (blind !== undefined) console.log('deletions were not looked for:', blind)
  const report = await definition.apply(summary.id, { signal: AbortSignal.timeout(60_000) }).finish()
  console.log(report.counts, (await definition.verify()).status)
} catch (error) {
  if (!(error instanceof PortbookError)) throw error
  console.error(error.code, error.message)
} finally {
  store.shutdown()
  await served
  await book.shutdown()
}
