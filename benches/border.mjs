// The same as border.rs, in Node: border.mjs PACKAGE DIR, where border.rs was before. The last line is a JSON object.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const [directory, root] = process.argv.slice(2)
const { Book } = createRequire(import.meta.url)(resolve(directory))

const ROUNDS = 5
const CALLS = 1000

/** The seconds of the fastest of some rounds. */
async function best(of) {
  const taken = []
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now()
    await of()
    taken.push((performance.now() - begun) / 1000)
  }
  return Math.min(...taken)
}

/** Microseconds of one call. */
async function each(call) {
  const calls = async () => {
    for (let n = 0; n < CALLS; n++) await call()
  }
  return ((await best(calls)) / CALLS) * 1e6
}

const place = (name) => ({ type: 'directory', path: join(root, name) })

const figures = {}
const book = await Book.open({ path: join(root, 'book.db') })
const session = await book.defaultSession()
const preview = await session.preview(readFileSync(join(root, 'preview'), 'utf8'))
const { items } = await preview.summary()
const read = async () => {
  let bytes = 0
  for (let after; ; ) {
    const page = await preview.changes(null, after, 1000)
    for (const change of page.changes) bytes += change.bytes
    if (page.next === undefined) return bytes
    after = page.next
  }
}
figures.node_changes_per_s = items / (await best(read))
const one = async () => {
  let bytes = 0
  for await (const change of preview.eachChange()) bytes += change.bytes
  return bytes
}
figures.node_changes_one_by_one_per_s = items / (await best(one))
figures.node_call_us = await each(() => preview.summary())
figures.node_call_at_once_us = await each(() => preview.id())
for (const isRead of [true, false]) {
  const name = isRead ? 'events_read' : 'events_unread'
  const run = (await session.connect(place('source'), place(`node-${name}`))).sync()
  const begun = performance.now()
  let events = 0
  if (isRead) for await (const event of run) events += event.type === 'applied' ? event.items.length : 1
  const { counts } = await run.finish()
  const seconds = (performance.now() - begun) / 1000
  figures[`node_run_items_per_s_${name}`] = counts.new / seconds
  if (isRead) figures.node_events_per_s = events / seconds
}

// What one request to a host's own files costs: asked, pulled, answered.
let asked = 0
const store = session.hostStore('empty')
const served = store.serve({
  look: (path) => ({ name: path.split('/').at(-1), kind: 'dir' }),
  listDir(path) {
    asked += 1
    if (path.split('/').length > 2) return []
    return Array.from({ length: 10 }, (_, n) => ({ name: String(n), kind: 'dir' }))
  },
  readAt: () => null,
})
const begun = performance.now()
await (await session.connect({ type: 'host', key: 'empty' }, place('from-host'))).preview()
figures.node_host_requests_per_s = asked / ((performance.now() - begun) / 1000)
store.shutdown()
await served
await book.shutdown()
console.log(JSON.stringify(figures))
