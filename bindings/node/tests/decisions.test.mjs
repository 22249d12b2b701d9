// Rows that wait for a person, tables that change, and callers that do everything wrong with them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, world } from './world.mjs'

const COLUMNS = [{ name: 'id', kind: 'integer' }, { name: 'name', kind: 'text' }, { name: 'price', kind: 'integer' }]
const [SHOP, COPY] = ['shop', 'copy'].map((key) => ({ type: 'host', key, table: 'orders' }))
const MANUAL = { mode: 'two_way', policy: 'manual' }

class Store {
  rows = new Map()
  columns = [...COLUMNS]

  constructor(...rows) {
    for (const row of rows) this.rows.set(row.id, row)
  }
  describe() {
    return { columns: this.columns, key: ['id'] }
  }
  scan() {
    return this.rows.values()
  }
  insert(table, rows) {
    for (const row of rows) this.rows.set(row.id, { ...this.rows.get(row.id), ...row })
  }
  update(table, key, rows) {
    this.insert(table, rows)
  }
}

/** Two stores in step, served until the test ends. */
async function connected(t, options) {
  const { session, book } = await world(t)
  const [shop, copy] = [new Store({ id: 1, name: 'new', price: 1 }, { id: 2, name: 'new', price: 2 }), new Store()]
  const stores = [[session.hostRecords('shop'), shop], [session.hostRecords('copy'), copy]]
  const served = stores.map(([store, rows]) => store.serve(rows))
  t.after(() => {
    for (const [store] of stores) store.shutdown()
    return Promise.all(served)
  })
  const definition = await session.connectRecords(SHOP, COPY, options)
  assert.equal((await definition.sync().finish()).counts.new, 2)
  return { session, book, definition, shop, copy }
}

test('a person decides about rows', async (t) => {
  const { definition, shop, copy } = await connected(t, MANUAL)
  shop.rows.set(1, { id: 1, name: 'here', price: 1 })
  copy.rows.set(1, { id: 1, name: 'new', price: 7 })
  assert.equal((await definition.sync().finish()).waiting, 1)
  const [conflict] = await definition.conflicts()
  assert.deepEqual([conflict.row, conflict.isAtSource, conflict.isAtTarget, conflict.choice], ['1', true, true, undefined])
  const listed = []
  for await (const one of definition.eachConflict()) listed.push(one)
  assert.deepEqual(listed, [conflict])
  assert.deepEqual(await definition.conflicts(conflict.id, 10), [])
  const { fields } = await definition.inspectConflict(conflict.id)
  const told = fields.filter(({ isSame }) => !isSame).map((one) => [one.target, JSON.parse(one.sourceValue), JSON.parse(one.targetValue)])
  assert.deepEqual(told, [['name', 'here', 'new'], ['price', 1, 7]])

  const { id, mark } = conflict
  const choice = { type: 'merge', targetColumns: ['price'] }
  await fails('stale', () => definition.resolveConflict(id, 'x', choice))
  await fails('not_found', () => definition.resolveConflict('00', mark, choice))
  await fails('not_found', () => definition.inspectConflict('no id'))
  await fails('invalid', () => definition.conflicts('no id'))
  await fails('invalid', () => definition.conflicts(null, -1))
  await fails('invalid', () => definition.inspectConflict('a\ud800'))
  for (const wrong of [
    undefined, null, 7, 'keep_source', {}, { type: 'shrug' }, { type: 'merge' }, { type: 'merge', targetColumns: 'price' },
    { type: 'merge', target_columns: ['price'] }, { type: 'merge', targetColumns: ['nobody'] }, { type: 'merge', targetColumns: ['a\ud800'] },
    { type: 'keep_source', targetColumns: [] },
  ]) {
    await fails('invalid', () => definition.resolveConflict(id, mark, wrong), JSON.stringify(wrong))
  }
  await definition.resolveConflict(id, mark, choice)
  assert.deepEqual((await definition.conflicts())[0].choice, choice)
  const { rows } = await definition.changes((await definition.preview()).summary.id)
  assert.deepEqual(rows.map(({ action }) => action), ['merge'])
  assert.equal((await definition.sync().finish()).counts.updated, 1)
  assert.deepEqual([shop, copy].map((side) => side.rows.get(1)), Array(2).fill({ id: 1, name: 'here', price: 7 }))
})

test('what has changed about a table is told', async (t) => {
  const { session, definition, shop } = await connected(t)
  assert.deepEqual([await definition.drift(), await definition.targets()], [[], []])
  shop.columns.push({ name: 'note', kind: 'text' })
  const [drift] = await definition.drift()
  assert.deepEqual(drift.change, { kind: 'added', name: 'note', now: 'text' })
  assert.deepEqual([drift.side, drift.effect], ['source', 'needs_mapping'])
  assert.deepEqual((await definition.preview()).drift, [drift])
  const [ofTable] = await session.tableDrift(SHOP)
  assert.deepEqual(ofTable.definitions.map((one) => [one.definition, one.effect]), [[definition.id(), 'needs_mapping']])
  await session.acceptTable(SHOP)
  assert.deepEqual(await definition.drift(), [])
  shop.columns.splice(1, 1)
  assert.equal((await definition.drift())[0].effect, 'blocks')
  await fails('invalid', () => definition.preview())
})

test('options, places and budgets that are none are refused', async (t) => {
  const { session, book, definition } = await connected(t)
  const connect = (options) => session.connectRecords(SHOP, COPY, options)
  for (const number of [-1, 1.5, NaN, 2 ** 53, 1e300, '1', {}]) {
    await fails('invalid', () => connect({ clock: { source: 'id', target: 'id', skewMs: number } }), String(number))
    await fails('invalid', () => session.setSharepointBudget({ tenant: 't', clientId: 'c' }, { perMinute: number, perDay: 1 }), String(number))
  }
  for (const budget of [{}, { perMinute: 1 }, { perMinute: 0, perDay: 0 }, { perMinute: 1, perDay: 1, perWeek: 1 }, null]) {
    await fails('invalid', () => session.setSharepointBudget({ tenant: 't', clientId: 'c' }, budget))
  }
  for (const account of [undefined, {}, { tenant: 't' }, { tenant: 't', clientId: 'c', colour: 'red' }, 'c']) {
    await fails('invalid', () => session.sharepointBudget(account))
  }
  await session.setSharepointBudget({ tenant: 't', clientId: 'c' }, { perMinute: 7, perDay: 7000 })
  assert.deepEqual(await session.sharepointBudget({ tenant: 'T', clientId: 'C' }), { perMinute: 7, perDay: 7000 })

  const url = 'sharepoint://contoso.sharepoint.com/sites/Team/Orders'
  const access = { clientSecret: 'hunter2', caFile: '/no/such.pem' }
  const places = [
    { type: 'table', url },
    { type: 'list', url: 'sqlite:///x/y', access },
    { type: 'list', url: `${url}?client_secret=hunter2` },
    { type: 'list', url, access },
    { type: 'list', url, access: { password: 'hunter2' } },
    { type: 'list' },
    null,
    url,
  ]
  for (const place of places) {
    for (const call of ['inspectTable', 'tableDrift', 'acceptTable']) {
      const { error } = await fails('invalid', () => session[call](place), JSON.stringify(place))
      assert.ok(!error.message.includes('hunter2'), error.message)
    }
    await fails('invalid', () => connect({ routes: [{ condition: 'true', target: place }] }), JSON.stringify(place))
  }
  await fails('unsupported', () => connect({ routes: [{ condition: 'true', target: COPY }] }))
  await fails('invalid', () => connect({ clock: { source: 'id' } }))
  await fails('invalid', () => connect({ clock: { source: 'no', target: 'id' } }))
  await fails('invalid', () => definition.preview({ routeTo: 'no id' }))
  await fails('invalid', () => session.introspectDatabase('sqlite:///x/y'))
  await fails('invalid', () => session.introspectDatabase('postgres://me:hush@localhost/shop'))
  await book.shutdown()
  for (const call of ['drift', 'targets', 'conflicts']) await fails('invalid', () => definition[call]())
})
