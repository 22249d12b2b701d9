// Tables that the host holds itself, kept in step with others; and hosts that do everything wrong.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, world } from './world.mjs'

const ORDERS = { columns: [{ name: 'id', kind: 'integer' }, { name: 'name', kind: 'text' }], key: ['id'] }
const SHOP = { type: 'host', key: 'shop', table: 'orders' }
const COPY = { type: 'host', key: 'copy', table: 'orders' }

const order = (id, name) => ({ id, name })

/** Rows in memory. What is only read needs the first two methods. */
class Store {
  constructor(rows = [], table = ORDERS) {
    this.rows = new Map(rows.map((row) => [row.id, row]))
    this.table = table
    this.log = []
  }
  describe(table) {
    return table === 'orders' ? this.table : null
  }
  async *scan() {
    yield* this.rows.values()
  }
  fetch(table, keys) {
    return keys.flatMap(({ id }) => this.rows.get(id) ?? [])
  }
  changes(table, since) {
    const changed = since === undefined ? [...this.rows.keys()] : this.log.slice(Number(since))
    const [rows, deleted] = [changed.filter((id) => this.rows.has(id)), changed.filter((id) => !this.rows.has(id))]
    return { rows: rows.map((id) => this.rows.get(id)), deleted: deleted.map((id) => ({ id })), cursor: `${this.log.length}` }
  }
  insert(table, rows) {
    return rows.map((row) => {
      if (this.rows.has(row.id)) return { outcome: 'exists' }
      this.rows.set(row.id, row)
      return { outcome: 'written' }
    })
  }
  update(table, key, rows) {
    for (const row of rows) this.rows.set(row.id, { ...this.rows.get(row.id), ...row })
  }
  delete(table, keys) {
    for (const { id } of keys) this.rows.delete(id)
  }
}

/** A definition of two stores that are served until `end` is called. */
async function connected(session, source, target, options = {}, { timeoutMs = null } = {}) {
  const stores = [
    [session.hostRecords('shop', { hasChanges: true, timeoutMs }), source],
    [session.hostRecords('copy'), target],
  ]
  const served = stores.map(([store, rows]) => store.serve(rows))
  const end = async () => {
    for (const [store] of stores) store.shutdown()
    await Promise.all(served)
  }
  try {
    return { definition: await session.connectRecords(SHOP, COPY, options), store: stores[0][0], end }
  } catch (error) {
    await end()
    throw error
  }
}

test('rows that only the host knows are previewed and applied', async (t) => {
  const { session } = await world(t)
  const source = new Store(Array.from({ length: 2500 }, (_, id) => order(id, 'new')))
  const target = new Store()
  const { definition, end } = await connected(session, source, target)
  const preview = await definition.preview()
  assert.equal(preview.summary.counts.new, 2500)
  assert.deepEqual(await definition.storedPreview(preview.summary.id), preview)
  const ids = []
  for await (const { id, action, kind, changes } of definition.eachChange(preview.summary.id)) {
    assert.deepEqual([action, kind, changes], ['insert', 'new', 'target'])
    ids.push(id)
  }
  assert.equal(ids.length, 2500)
  await definition.tick(preview.summary.id, [ids[0]], false)
  const run = definition.apply(preview.summary.id)
  let applied = 0
  for await (const event of run) if (event.type === 'applied') applied += event.items.length
  assert.equal(applied, 2499)
  assert.equal((await definition.sync().finish()).counts.new, 1)
  source.rows.delete(7)
  source.rows.set(8, order(8, 'paid'))
  const { counts } = await definition.sync().finish()
  assert.deepEqual([counts.updated, counts.deleted, counts.failed], [1, 1, 0])
  assert.deepEqual([...target.rows.values()].sort((a, b) => a.id - b.id), [...source.rows.values()].sort((a, b) => a.id - b.id))
  const { status, sourceRows, differences } = await definition.verify()
  assert.deepEqual([status, sourceRows, differences], ['match', 2499, []])
  assert.equal((await session.records(SHOP, COPY)).id(), definition.id())
  await end()
})

test('values of JavaScript go both ways', async (t) => {
  const { session } = await world(t)
  const kinds = {
    id: 'integer', flag: 'boolean', large: 'integer', price: 'decimal', ratio: 'float', name: 'text', bytes: 'bytes',
    day: 'date', at: 'instant', document: 'json',
  }
  const table = { columns: Object.entries(kinds).map(([name, kind]) => ({ name, kind })), key: ['id'] }
  table.columns.push({ name: 'tags', kind: 'set', member: 'text' })
  const row = {
    id: 1, flag: true, large: 2n ** 63n, price: '1.50', ratio: NaN, name: 'ö 日本\0', bytes: Uint8Array.of(0, 255), day: '2024-02-29',
    at: new Date('2026-10-25T00:00:00.5Z'), document: { a: [1, null] }, tags: new Set(['b', 'a']),
  }
  const nothing = Object.fromEntries([...table.columns.map(({ name }) => [name, null]), ['id', 2]])
  const [source, target] = [new Store([row, nothing], table), new Store([], table)]
  const { definition, end } = await connected(session, source, target, { mode: 'two_way' })
  const report = await definition.sync().finish()
  assert.deepEqual([report.counts.new, report.failures], [2, []])
  const told = target.rows.get(1)
  assert.deepEqual([told.large, told.price, told.ratio, told.bytes], [`${2n ** 63n}`, '1.5', 'NaN', 'AP8='])
  assert.deepEqual([told.at, told.document, told.tags], ['2026-10-25T00:00:00.5Z', { a: [1, null] }, ['a', 'b']])
  target.rows.set(1, { ...told, name: 'back' })
  assert.equal((await definition.sync().finish()).counts.updated, 1)
  assert.equal(source.rows.get(1).name, 'back')
  assert.equal((await definition.sync().finish()).counts.unchanged, 2)
  await end()
})

test('only what has changed is asked for', async (t) => {
  const { session } = await world(t)
  const source = new Store(Array.from({ length: 2100 }, (_, id) => order(id, 'new')))
  const target = new Store()
  const { definition, end } = await connected(session, source, target, { cursor: { type: 'log' } })
  assert.equal((await definition.sync().finish()).counts.new, 2100)
  source.rows.set(5, order(5, 'paid'))
  source.rows.delete(6)
  source.log = [5, 6]
  assert.equal((await definition.preview()).sourceRows, 1)
  const { counts } = await definition.sync().finish()
  assert.deepEqual([counts.updated, counts.deleted], [1, 1])
  assert.equal(target.rows.size, 2099)
  await end()
})

test('what a host throws is its answer', async (t) => {
  const { session } = await world(t)
  const cases = [
    [() => { throw new Error('broken') }, 'host'],
    [() => { throw Object.assign(new Error('no space'), { code: 'quota' }) }, 'quota'],
    [() => { throw Object.assign(new Error('of another book'), { code: 'internal' }) }, 'host'],
    [() => null, 'host'],
    [() => 7, 'host'],
    [() => [7], 'invalid'],
    [() => [order(1, () => 1)], 'invalid'],
    [() => [order(1, 'a\ud800')], 'invalid'],
  ]
  for (const [scan, code] of cases) {
    const source = Object.assign(new Store(), { scan })
    const { definition, end } = await connected(session, source, new Store())
    await fails(code, () => definition.preview(), String(scan))
    await end()
    await fails('host', () => definition.preview())
    await fails('not_found', () => session.connectRecords(SHOP, COPY))
  }
})

test('a row with a value that is none fails alone', async (t) => {
  for (const wrong of [order(3, 7), { id: 3 }, order(3, undefined), order(3, ['x'])]) {
    const { session } = await world(t)
    const { definition, end } = await connected(session, new Store([order(1, 'one'), wrong]), new Store([order(3, 'of another')]))
    const { counts, failures } = await definition.sync().finish()
    assert.deepEqual([counts.new, counts.failed, failures[0].path, failures[0].code], [1, 1, '3', 'host'])
    await end()
  }
})

test('answers that do not fit have their code', async (t) => {
  const { session } = await world(t)
  const many = Array.from({ length: 1001 }, (_, id) => JSON.stringify(order(id, '')))
  const cases = [
    [{ type: 'done' }, 'host'],
    [{ type: 'absent' }, 'not_found'],
    [{ type: 'rows', rows: many }, 'host'],
    [{ type: 'rows', rows: [], next: '1' }, 'host'],
    [{ type: 'rows', rows: many.slice(0, 1), next: '1' }, 'host'],
    [{ type: 'rows', rows: ['[]'] }, 'host'],
    [null, 'timeout'],
  ]
  for (const [answer, code] of cases) {
    const store = session.hostRecords('shop', { timeoutMs: 100 })
    const serving = (async () => {
      for await (const { id, type } of store) {
        if (type === 'describe') store.reply(id, { type: 'described', table: ORDERS })
        else if (answer) store.reply(id, answer)
      }
    })()
    const copy = session.hostRecords('copy')
    const copied = copy.serve(new Store())
    const definition = await session.connectRecords(SHOP, COPY)
    await fails(code, () => definition.preview(), JSON.stringify(answer)?.slice(0, 80))
    await fails('not_found', () => store.reply(1, { type: 'done' }))
    await fails('invalid', () => store.reply(1, { type: 'shrug' }))
    await fails('invalid', () => store.reply(1, { type: 'rows', rows: ['{'] }))
    await fails('invalid', () => store.reply(1, { type: 'rows', rows: [7] }))
    await fails('invalid', () => store.fail(1, 'a\ud800'))
    await fails('invalid', () => definition.preview({ maxDelete: 'x' }))
    store.shutdown()
    copy.shutdown()
    await Promise.all([serving, copied])
  }
})

test('there is one store of tables of a key', async (t) => {
  const { session } = await world(t)
  const store = session.hostRecords('shop')
  await fails('conflict', () => session.hostRecords('shop'))
  await fails('invalid', () => session.hostRecords(''))
  await fails('invalid', () => session.hostRecords('x', { colour: 'red' }))
  await fails('internal', () => session.hostRecords('panic!'))
  store.shutdown()
  await fails('not_found', () => session.inspectTable(SHOP))
  await fails('invalid', () => session.inspectDatabase('postgres://me:hush@localhost/shop'))
  await fails('not_found', () => session.definition('00000000-0000-0000-0000-000000000000'))
})
