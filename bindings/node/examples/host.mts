// Files that only this program knows, as a place: an object in memory is synced into a directory, with a limit of time.

import { Book } from 'portbook'
import type { HostFiles } from 'portbook'

const [path, to] = process.argv.slice(2)
if (path === undefined || to === undefined) throw new Error('usage: host.mts BOOK TO')

const notes = new Map([['a.txt', 'one'], ['b.txt', 'two']].map(([name, text]) => [name, Buffer.from(text ?? '')]))
const entry = (name: string, bytes: Buffer) => ({ name, kind: 'file' as const, bytes: bytes.length, version: bytes.toString('hex') })
const files: HostFiles = {
  listDir: () => [...notes].map(([name, bytes]) => entry(name ?? '', bytes)),
  look: (path) => {
    const bytes = notes.get(path)
    return path === '' ? { name: '', kind: 'dir' } : bytes && entry(path, bytes)
  },
  readAt: (path, offset, length) => notes.get(path)?.subarray(offset, offset + length),
}

const book = await Book.open({ path })
const session = await book.defaultSession()
const store = session.hostStore('notes', { readOnly: true })
const served = store.serve(files)
const conduit = await session.connect({ type: 'host', key: 'notes' }, { type: 'directory', path: to })
const report = await conduit.sync(null, { signal: AbortSignal.timeout(60_000) }).finish()
console.log(report.counts, report.cancelled)
store.shutdown()
await served
await book.shutdown()
