// What bad input gets: the same code as in every language, as a throw where a method returns at once and as a rejection elsewhere.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Book, HostKeys, PortbookError, Run, Session, codes, version } from 'portbook'
import { connected, fails, world } from './world.mjs'

const LONE = 'a\ud800b'

test('every code is told by its text', () => {
  assert.equal(codes().length, new Set(codes().map((code) => code.code)).size)
  for (const info of codes()) {
    assert.equal(info.code, info.text)
    assert.equal(new PortbookError(info.code, 'x').isRetryable, info.isRetryable)
  }
  assert.match(version(), /^\d+\.\d+\.\d+$/)
})

test('numbers are whole and below 2^53', async (t) => {
  const { dir, book, session } = await world(t)
  const path = join(dir, 'other.db')
  for (const number of [1.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e300, -1, 10n, '1', true, {}, []]) {
    await fails('invalid', () => Book.open({ path, memoryBytes: number }), `memoryBytes ${String(number)}`)
    if (typeof number !== 'boolean') await fails('invalid', () => book.tenants(null, number), `limit ${String(number)}`)
    assert.equal((await fails('invalid', () => session.hostStore('x', { timeoutMs: number }))).isRejection, false)
  }
  const store = session.hostStore('x')
  for (const number of [1.5, NaN, 2 ** 53, '1']) {
    await fails('invalid', () => store.reply(number, { type: 'done' }), `id ${number}`)
    await fails('invalid', () => new HostKeys(number), `timeoutMs ${number}`)
  }
  await fails('invalid', () => new HostKeys(-1))
  await fails('invalid', () => new HostKeys(Number.MIN_SAFE_INTEGER))
  const other = await Book.open({ path, memoryBytes: 2 ** 53 - 1 })
  await other.shutdown()
})

test('text is well-formed', async (t) => {
  const { dir, book, session, source, conduit } = await connected(t)
  await fails('invalid', () => Book.open({ path: join(dir, LONE) }))
  await fails('invalid', () => session.volume(LONE))
  await fails('invalid', () => session.connect(source, { type: 'directory', path: LONE }))
  await fails('invalid', () => session.connect(source, source, { filters: { exclude: [LONE] } }))
  await fails('invalid', () => session.connect(source, { type: 'directory', path: dir, [LONE]: 1 }))
  await fails('invalid', () => book.createTenant(LONE))
  await fails('invalid', () => session.createRow('applications', { name: LONE }))
  await fails('invalid', () => session.createRow('applications', { [LONE]: 'x' }))
  const { isRejection } = await fails('invalid', () => conduit.apply(LONE))
  assert.equal(isRejection, false)
  assert.equal((await fails('invalid', () => session.hostStore(LONE))).isRejection, false)
})

test('a NUL inside of text is refused', async (t) => {
  const { book, session, source, dir } = await world(t)
  await fails('invalid', () => Book.open({ path: join(dir, 'a\0b') }))
  await fails('invalid', () => session.connect(source, { type: 'directory', path: join(dir, 'a\0b') }))
  await fails('invalid', () => session.hostStore('a\0b'))
  await fails('not_found', () => session.volume('a\0b'))
  await fails('invalid', () => book.backup('a\0b'))
})

test('records have the fields they have, and no others', async (t) => {
  const { dir, session, source, target, conduit } = await connected(t)
  const path = join(dir, 'other.db')
  const circle = {}
  circle.key = circle
  for (const options of [
    undefined,
    null,
    {},
    [],
    7,
    'book.db',
    JSON.stringify({ path }),
    Symbol('x'),
    () => {},
    new Map(),
    new Uint8Array(3),
    session,
    circle,
    { paht: path },
    { Path: path },
    { path, memory_bytes: 1 << 27 },
    { path, url: 'postgres://localhost/x' },
    { path, key: 'secret' },
    { path, key: { rawHex: 'no hex' } },
    { path, activityExpired: 'burnt' },
    { path, ['__proto__']: 'x' },
    { path: { nested: path } },
    JSON.parse('{"path":"x","__proto__":1}'),
  ]) {
    await fails('invalid', () => Book.open(options), `open ${typeof options}`)
  }
  await fails('invalid', () => session.connect(source, target, { mode: 'sideways' }))
  await fails('invalid', () => session.connect(source, target, { maxDelete: 10 }))
  await fails('invalid', () => session.connect(source, { ...target, kind: 'x' }))
  await fails('invalid', () => session.connect(source, { type: 'nowhere', path: dir }))
  await fails('invalid', () => session.connect(source))
  await fails('invalid', () => session.connect())
  await fails('invalid', () => conduit.setSelectionRules('*'))
  await fails('invalid', () => conduit.setSelectionRules([{ pattern: '*' }]))
  await fails('invalid', () => conduit.setSelectionRules([undefined]))
  await fails('invalid', () => conduit.sync({ checksum: 'yes' }))
  await fails('invalid', () => session.createRow('applications', 'text'))
  await fails('invalid', () => session.createRow('applications', [1]))
  await fails('invalid', () => session.createRow('applications', { name: NaN }))
  await fails('invalid', () => session.createRow('applications', { name: () => {} }))
})

test('what may be left out may be null', async (t) => {
  const { session, source, target } = await world(t)
  const conduit = await session.connect(source, target, { mode: null, filters: { include: null }, transfers: undefined })
  assert.equal(conduit.options().mode, 'mirror')
  assert.equal((await (await conduit.preview(null)).changes(null, null, null)).changes.length, 3)
})

test('wrong handles and wrong receivers are refused', async (t) => {
  const { dir, book, session } = await world(t)
  await fails('invalid', () => Session.prototype.tenant.call({}))
  await fails('invalid', () => Session.prototype.history.call(book, 1))
  await fails('invalid', () => Run.prototype.cancel.call(undefined))
  await fails('invalid', () => Run.prototype.nextEvent.call(session))
  await fails('invalid', () => book.copyInto(session))
  await fails('invalid', () => book.copyInto())
  await fails('invalid', () => Book.openWithKeys({ path: join(dir, 'x.db') }, book))
  await fails('invalid', () => Book.openWithKeys({ path: join(dir, 'x.db') }))
  await fails('invalid', () => session.volumeOn('x', {}))
  for (const handle of [Book, Session, Run]) {
    assert.equal((await fails('invalid', () => new handle())).isRejection, false)
    await fails('invalid', () => new (class extends handle {})())
  }
  assert.ok(book instanceof Book && session.constructor === Session)
})

test('what is not there is not found, and what has ended is invalid', async (t) => {
  const { book, session, conduit } = await connected(t)
  await fails('not_found', () => session.preview('00000000-0000-0000-0000-000000000000'))
  await fails('invalid', () => session.preview('no id'))
  await fails('not_found', () => session.volume('nothing'))
  await fails('not_found', () => session.getRow('no_table', '00000000-0000-0000-0000-000000000000'))
  const preview = await conduit.preview()
  await fails('invalid', () => preview.changes(null, 'no change'))
  const run = conduit.sync()
  await book.shutdown()
  for (const call of [
    () => session.history(1),
    () => session.tenant(),
    () => session.hostStore('x'),
    () => conduit.preview(),
    () => conduit.sync(),
    () => conduit.id(),
    () => preview.summary(),
    () => book.check(),
    () => book.defaultSession(),
  ]) {
    await fails('invalid', call)
  }
  // A run still tells how it ended.
  const { cancelled, counts } = await run.finish()
  assert.ok(cancelled || counts.new === 3)
})

test('a panic is told as internal, and ends nothing but its call', async (t) => {
  const { session, source } = await world(t)
  // At once, while the call is awaited, and on the book's own threads: in the call, in what it began, and in what a run does.
  assert.equal((await fails('internal', () => session.hostStore('panic!'))).isRejection, false)
  assert.equal((await fails('internal', () => session.volume('panic!'))).isRejection, true)
  const files = new Map()
  let broken = ''
  const named = (what, name) => (broken === what ? 'panic!' : name)
  const store = session.hostStore('shelf')
  const served = store.serve({
    look(path) {
      if (path === '') return { name: named('root', ''), kind: 'dir' }
      if (broken === 'item') return { name: 'panic!', kind: 'dir' }
      const bytes = files.get(path)
      return bytes && { name: path, kind: 'file', bytes: bytes.length, version: '1' }
    },
    listDir: () => (broken === 'list' ? [{ name: 'panic!', kind: 'dir' }] : []),
    readAt: () => null,
    writeAt: (path, offset, bytes) => void files.set(path, bytes),
    rename: (path, to) => void files.set(to, files.get(path)),
    removeItem: () => {},
  })
  const conduit = await session.connect(source, { type: 'host', key: 'shelf' })
  for (broken of ['root', 'list']) await fails('internal', () => conduit.preview(), broken)
  for (broken of ['root', 'list', 'item']) await fails('internal', () => conduit.sync().finish(), broken)
  broken = ''
  assert.equal((await conduit.sync().finish()).counts.new, 3)
  store.shutdown()
  await served
})

test('no secret is in an error', async (t) => {
  const { dir, session } = await world(t)
  const secret = 'hunter2hunter2'
  const path = join(dir, 'other.db')
  for (const call of [
    () => Book.open({ path, key: { rawHex: secret } }),
    () => Book.open({ path, key: { passphrase: [secret] } }),
    () => Book.open({ path, key: secret }),
    () => session.saveVolume('x', 'dav://localhost/', { password: { secret } }),
    () => session.saveVolume('x', 'dav://localhost/', { lock: secret }),
    () => session.createRow('applications', secret),
  ]) {
    const { error } = await fails('invalid', call)
    assert.ok(!error.stack.includes(secret) || String(call).includes(secret), error.message)
    assert.ok(!error.message.includes(secret), error.message)
  }
})

test('errors know where they came from', async (t) => {
  const { session } = await world(t)
  async function somebodyWhoAsks() {
    await session.volume('nothing')
  }
  const { error } = await fails('not_found', somebodyWhoAsks)
  assert.match(error.stack, /^PortbookError: /)
  assert.match(error.stack, /somebodyWhoAsks/)
})
