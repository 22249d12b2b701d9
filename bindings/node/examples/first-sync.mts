// Shows what would change, and applies exactly that: node --experimental-strip-types first-sync.mts BOOK FROM TO

import { Book, PortbookError } from 'portbook'
import type { Place } from 'portbook'

const [path, from, to] = process.argv.slice(2)
if (path === undefined || from === undefined || to === undefined) throw new Error('usage: first-sync.mts BOOK FROM TO')
const place = (path: string): Place => ({ type: 'directory', path })

const book = await Book.open({ path })
try {
  const session = await book.defaultSession()
  const conduit = await session.connect(place(from), place(to), { mode: 'mirror', filters: { exclude: ['*.tmp'] } })
  const preview = await conduit.preview()
  for await (const change of preview.eachChange()) console.log(change.kind, change.path, change.bytes)

  const run = conduit.apply(preview.id())
  for await (const event of run) {
    switch (event.type) {
      case 'progress':
        console.log(`${event.at.itemsDone} of ${event.at.itemsTotal}`)
        break
      case 'applied':
        for (const item of event.items) console.log('done', item.path)
        break
      case 'failed':
        console.log(event.failure.path, event.failure.code, event.failure.text)
        break
    }
  }
  const report = await run.finish()
  console.log(report.isInStep ? 'both sides agree' : `${report.counts.failed} items failed`)
} catch (error) {
  if (!(error instanceof PortbookError)) throw error
  console.error(error.message)
  process.exitCode = error.code === 'guard' ? 3 : 1
} finally {
  await book.shutdown()
}
