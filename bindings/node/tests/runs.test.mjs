// Previews and runs: events, pages, cancelling, signals.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connected, fails, many, world } from './world.mjs'

test('events come in their order and are told to all readers together', async (t) => {
  const { conduit } = await connected(t, many(2500))
  const run = conduit.sync()
  const seen = []
  const read = async () => {
    for await (const event of run) seen.push(event)
  }
  await Promise.all([read(), read(), read()])
  const applied = seen.filter((event) => event.type === 'applied').flatMap((event) => event.items)
  assert.equal(new Set(applied.map((item) => item.path)).size, 2500)
  assert.ok(seen.every((event) => event.type !== 'applied' || event.items.length <= 1000))
  assert.equal(seen.filter((event) => event.type === 'planned').length, 1)
  assert.equal(await run.nextEvent(), null)
  const report = await run.finish()
  assert.deepEqual(await run.finish(), report)
  assert.equal(report.counts.new, 2500)
  assert.equal(report.isInStep, true)
})

test('a wait that is given up loses no event', async (t) => {
  const { conduit } = await connected(t, many(1500))
  const run = conduit.sync()
  let applied = 0
  let givenUp = 0
  for (;;) {
    const end = new AbortController()
    const waiting = run.nextEvent({ signal: end.signal })
    if (givenUp < 200) end.abort()
    try {
      const event = await waiting
      if (event === null) break
      if (event.type === 'applied') applied += event.items.length
    } catch (error) {
      assert.equal(error.code, 'cancelled')
      givenUp += 1
    }
  }
  assert.equal(givenUp, 200)
  assert.equal(applied, 1500)
})

test('a run is cancelled, paused and resumed', async (t) => {
  const { conduit } = await connected(t, many(3000))
  const run = conduit.sync()
  run.pause()
  run.resume()
  run.cancel()
  run.cancel()
  const report = await run.finish()
  assert.equal(report.cancelled, true)
  assert.equal((await conduit.sync().finish()).isInStep, true)
})

test('the signal of a run cancels it', async (t) => {
  const { conduit } = await connected(t, many(3000))
  const end = new AbortController()
  const run = conduit.sync(null, { signal: end.signal })
  end.abort()
  assert.equal((await run.finish()).cancelled, true)
  assert.throws(() => conduit.sync(null, { signal: end.signal }), { code: 'cancelled' })
  const other = conduit.sync({ signal: new AbortController().signal })
  assert.equal((await other.finish()).cancelled, false)
})

test('a signal ends the wait for a call with its reason', async (t) => {
  const { book, session, conduit } = await connected(t)
  const reason = new Error('no time')
  const aborted = AbortSignal.abort(reason)
  for (const call of [
    () => conduit.preview({ signal: aborted }),
    () => conduit.preview({ checksum: true, signal: aborted }),
    () => session.verify({ type: 'host', key: 'x' }, { type: 'host', key: 'y' }, { signal: aborted }),
    () => session.history(1, { signal: aborted }),
    () => book.check({ signal: aborted }),
    () => session.eachPreview(null, { signal: aborted }).next(),
  ]) {
    const { error, isRejection } = await fails('cancelled', call)
    assert.equal(error.cause, reason)
    assert.equal(isRejection, true)
  }
  const end = new AbortController()
  const store = session.hostStore('silent')
  const waiting = store.nextRequest({ signal: end.signal })
  end.abort(reason)
  assert.equal((await fails('cancelled', () => waiting)).error.cause, reason)
  store.shutdown()
  assert.equal(await store.nextRequest(), null)
})

test('a signal that outlives its calls holds no listeners', async (t) => {
  const { conduit, session } = await connected(t)
  const { signal } = new AbortController()
  const { getEventListeners } = await import('node:events')
  for (let n = 0; n < 20; n++) {
    await session.history(1, { signal })
    await conduit.sync(null, { signal }).finish()
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('changes come in pages, one after another, ticked as wanted', async (t) => {
  const { conduit, dir } = await connected(t, many(2300))
  const preview = await conduit.preview()
  assert.equal((await preview.summary()).counts.new, 2300)
  const first = await preview.changes()
  assert.equal(first.changes.length, 1000)
  // Whole: what there is nothing of is not there, neither as null.
  const { id, path, bytes, ...rest } = first.changes[0]
  assert.deepEqual([typeof id, typeof path, typeof bytes], ['string', 'string', 'number'])
  assert.deepEqual(rest, { kind: 'new', action: 'transfer', changes: 'target', item: 'file', ticked: true, follows: false })
  const short = await preview.changes({ kind: 'new' }, first.next, 10)
  assert.equal(short.changes.length, 10)
  const paths = []
  for await (const change of preview.eachChange()) paths.push(change.path)
  assert.ok(!('next' in (await preview.changes({ under: 'f1.txt' }))))
  assert.equal(new Set(paths).size, 2300)
  assert.equal(short.changes[0].path, paths[1000])
  for await (const change of preview.eachChange({ under: 'f1.txt' })) assert.equal(change.path, 'f1.txt')
  await preview.tickAll({}, false)
  await preview.tick([first.changes[0].id], true)
  const { counts } = await conduit.apply(preview.id()).finish()
  assert.equal(counts.new, 1)
  assert.equal(await readFile(join(dir, 'target', first.changes[0].path), 'utf8'), first.changes[0].path.slice(1, -4))
  const deleted = await conduit.preview()
  await deleted.discard()
  await fails('not_found', () => deleted.summary())
})

test('what was done is listed, and how far it is watched', async (t) => {
  const { conduit, session, book } = await connected(t)
  await conduit.sync().finish()
  const [run] = await session.history()
  assert.equal(run.conduit, conduit.id())
  assert.equal(run.generation, 1)
  const all = { activity: 0, progress: 0, errors: 0, previews: 0, conflicts: 0, tenants: 0 }
  for await (const line of session.eachActivity({ conduit: conduit.id() })) all.activity += line.action ? 1 : 0
  for await (const _ of session.eachError()) all.errors += 1
  for await (const _ of session.eachPreview({ conduit: conduit.id() })) all.previews += 1
  for await (const _ of conduit.eachConflict()) all.conflicts += 1
  for await (const tenant of book.eachTenant()) all.tenants += tenant.id === session.tenant() ? 1 : 0
  for await (const row of session.eachProgress()) {
    all.progress += 1
    const rows = []
    for await (const seen of session.watchProgress(row.syncId)) rows.push(seen.status)
    assert.deepEqual(rows, ['completed'])
  }
  assert.ok(all.activity >= 2)
  assert.deepEqual({ ...all, activity: 2 }, { activity: 2, progress: 1, errors: 0, previews: 1, conflicts: 0, tenants: 1 })
})

test('tenants, users and verification', async (t) => {
  const { book, session, source, target } = await world(t)
  const tenant = await book.createTenant('ours')
  const user = await book.createUser(tenant.id, { displayName: 'she' })
  const other = await book.session(tenant.id, user.id)
  assert.equal(other.tenant(), tenant.id)
  assert.equal((await book.renameTenant(tenant.id, 'theirs')).name, 'theirs')
  await book.deleteTenant(tenant.id)
  await fails('not_found', () => book.session(tenant.id, user.id))
  const conduit = await session.connect(source, target, { mode: 'bidirectional', conflict: 'keep-both' })
  assert.equal(conduit.options().conflict, 'keep-both')
  await conduit.sync().finish()
  assert.equal((await session.verify(source, target, { checksum: true })).differing, 0)
  assert.equal((await (await session.conduit(source, target)).options()).mode, 'bidirectional')
  await conduit.setSelectionRules([{ pattern: '*.txt', isIncluded: true }])
  assert.deepEqual(await conduit.selectionRules(), [{ pattern: '*.txt', isIncluded: true }])
  await conduit.pin({ path: 'a.txt', isHeld: false })
  assert.deepEqual(await conduit.pins(), [{ path: 'a.txt', isHeld: false }])
  await conduit.unpin('a.txt')
  assert.deepEqual(await book.check(), [])
  assert.equal((await book.maintain()).previews, 0)
})

test('guards stop a run until they are confirmed', async (t) => {
  const { conduit, dir } = await connected(t, many(20))
  await conduit.sync().finish()
  const { rm } = await import('node:fs/promises')
  for (let n = 0; n < 15; n++) await rm(join(dir, 'source', `f${n}.txt`))
  const preview = await conduit.preview()
  const { guards } = await preview.summary()
  assert.ok(guards.length > 0)
  const { error } = await fails('guard', () => conduit.apply(preview.id()).finish())
  assert.equal(error.isRetryable, false)
  const report = await conduit.apply(preview.id(), { confirm: guards.map((guard) => guard.name) }).finish()
  assert.equal(report.counts.deleted, 15)
})
