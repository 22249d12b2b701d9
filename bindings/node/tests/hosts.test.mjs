// Files that the host holds itself, and hosts that do everything wrong.

import assert from 'node:assert/strict'
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fails, many, world } from './world.mjs'

const SHELF = { type: 'host', key: 'shelf' }

/** The example of the README: a directory of this machine, served by hand. */
class Served {
  constructor(root) {
    this.root = root
  }
  at(path) {
    return join(this.root, path)
  }
  async look(path) {
    const found = await stat(this.at(path)).catch(() => null)
    if (!found) return null
    const name = path.split('/').at(-1)
    if (found.isDirectory()) return { name, kind: 'dir' }
    return { name, kind: 'file', bytes: found.size, modifiedAt: found.mtime.toISOString(), ident: `${found.ino}` }
  }
  async listDir(path) {
    const names = await readdir(this.at(path)).catch(() => null)
    return names && Promise.all(names.map((name) => this.look(path === '' ? name : `${path}/${name}`)))
  }
  async readAt(path, offset, length) {
    await using_(await open(this.at(path)), async (file) => {
      this.last = await file.read(Buffer.alloc(length), 0, length, offset)
    })
    return this.last.buffer.subarray(0, this.last.bytesRead)
  }
  async writeAt(path, offset, bytes) {
    await using_(await open(this.at(path), offset === 0 ? 'w' : 'r+'), (file) => file.write(bytes, 0, bytes.length, offset))
  }
  async makeDir(path) {
    await mkdir(this.at(path))
  }
  async rename(path, to, replace) {
    if (!replace && (await this.look(to))) throw Object.assign(new Error('it is there'), { code: 'conflict' })
    await rename(this.at(path), this.at(to))
  }
  async removeItem(path) {
    const entry = await this.look(path)
    if (entry) await rm(this.at(path), { recursive: entry.kind === 'dir' })
  }
}

async function using_(file, use) {
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

test('what a host serves is synced in both directions', async (t) => {
  const { dir, session, source } = await world(t, { ...many(50), 'large.bin': 'x'.repeat(5 << 20) })
  await mkdir(join(dir, 'served'))
  const store = session.hostStore('shelf', { timePrecisionNs: 1_000_000, display: 'the shelf' })
  const served = store.serve(new Served(join(dir, 'served')))
  const conduit = await session.connect(source, SHELF, { mode: 'bidirectional' })
  const report = await conduit.sync().finish()
  assert.deepEqual(report.failures, [])
  assert.equal(report.counts.new, 51)
  assert.equal((await readFile(join(dir, 'served/large.bin'))).length, 5 << 20)
  await rm(join(dir, 'served/f1.txt'))
  assert.equal((await conduit.sync().finish()).counts.deleted, 1)
  assert.equal((await conduit.sync().finish()).isInStep, true)
  store.shutdown()
  store.shutdown()
  await served
})

test('a volume is on files of the host', async (t) => {
  const { dir, session } = await world(t)
  await mkdir(join(dir, 'served'))
  await session.saveDirectory('shelf', join(dir, 'served'))
  const store = session.hostStore('shelf', { timePrecisionNs: 1_000_000 })
  const served = store.serve(new Served(join(dir, 'served')))
  const volume = await session.volumeOn('shelf', store)
  const file = await volume.put({ path: 'a.txt' }, Buffer.from('text'))
  assert.equal(file.size, 4)
  store.shutdown()
  await served
})

test('what a host throws is its answer', async (t) => {
  const { session, source } = await world(t)
  const cases = [
    [new Error('broken'), 'host'],
    [Object.assign(new Error('no space'), { code: 'quota' }), 'quota'],
    [Object.assign(new Error('unknown code'), { code: 'ENOENT' }), 'host'],
    ['a text', 'host'],
    [undefined, 'host'],
    [{ message: 'a\ud800b' }, 'host'],
  ]
  for (const [thrown, code] of cases) {
    const store = session.hostStore('shelf')
    const served = store.serve({
      look() {
        throw thrown
      },
      async listDir() {
        throw thrown
      },
    })
    const conduit = await session.connect(source, SHELF)
    const { error } = await fails(code, () => conduit.preview(), String(thrown))
    if (thrown instanceof Error) assert.match(error.message, new RegExp(thrown.message))
    store.shutdown()
    await served
  }
})

test('a host that answers nonsense, never, or leaves, has its code', async (t) => {
  const { session, source } = await world(t)
  const entry = { name: '', kind: 'file', bytes: 1, version: '1' }
  const cases = [
    [{ type: 'done' }, 'host'],
    [{ type: 'listing', entries: [] }, 'host'],
    [{ type: 'found', entry: { ...entry, bytes: -1 } }, 'host'],
    [{ type: 'found', entry: { ...entry, version: undefined } }, 'host'],
    [{ type: 'found', entry }, 'not_found'],
    [{ type: 'absent' }, 'not_found'],
    [null, 'timeout'],
  ]
  for (const [answer, code] of cases) {
    const store = session.hostStore('shelf', { timeoutMs: 100 })
    const conduit = await session.connect(source, SHELF)
    const serving = (async () => {
      for await (const request of store) if (answer) store.reply(request.id, answer)
    })()
    await fails(code, () => conduit.preview(), JSON.stringify(answer))
    await fails('not_found', () => store.reply(1, { type: 'done' }))
    await fails('invalid', () => store.reply(1, { type: 'shrug' }))
    await fails('invalid', () => store.reply(1, { type: 'found', entry: { ...entry, bytes: 1.5 } }))
    await fails('invalid', () => store.reply(1, { type: 'listing', entries: [{ ...entry, colour: 'red' }] }))
    await fails('invalid', () => store.fail(1, 'x', 'no_code'))
    await fails('invalid', () => store.fail(1, 'a\ud800'))
    await fails('invalid', () => store.replyBytes(1, 'text'))
    await fails('not_found', () => store.bytes(1))
    store.shutdown()
    await serving
    await fails('host', () => conduit.preview())
  }
})

test('an answer that does not fit is told as the failure of the host, at once', async (t) => {
  const { session, source } = await world(t)
  const store = session.hostStore('shelf', { timeoutMs: 60_000 })
  const served = store.serve({ look: () => ({ name: '', kind: 'shoe' }), listDir: () => 7 })
  const conduit = await session.connect(source, SHELF)
  const began = Date.now()
  await fails('invalid', () => conduit.preview())
  assert.ok(Date.now() - began < 30_000)
  store.shutdown()
  await served
})

test('a book ends while a run waits for a host that says nothing', async (t) => {
  const { book, session, source } = await world(t)
  const store = session.hostStore('shelf')
  const conduit = await session.connect(source, SHELF)
  const run = conduit.sync()
  assert.notEqual(await store.nextRequest(), null)
  await book.shutdown()
  assert.equal(await store.nextRequest(), null)
  try {
    assert.equal((await run.finish()).cancelled, true)
  } catch (error) {
    assert.equal(error.code, 'host')
  }
})

test('there is one store of a key', async (t) => {
  const { session, source, target } = await world(t)
  const store = session.hostStore('shelf')
  await fails('conflict', () => session.hostStore('shelf'))
  await fails('invalid', () => session.hostStore(''))
  await fails('invalid', () => session.hostStore('x', { colour: 'red' }))
  store.shutdown()
  await fails('not_found', () => session.connect(SHELF, target))
  assert.notEqual(source, target)
})
