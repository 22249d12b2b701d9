// Files of volumes, rows of tables, copies and keys of books.

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Book, HostKeys, tables } from 'portbook'
import { fails, world } from './world.mjs'

async function opened(t) {
  const all = await world(t)
  await mkdir(join(all.dir, 'shelf'))
  await all.session.saveDirectory('shelf', join(all.dir, 'shelf'))
  return { ...all, volume: await all.session.volume('shelf') }
}

test('a file is put, read in pieces, deleted and restored', async (t) => {
  const { volume, dir } = await opened(t)
  const content = Buffer.alloc(3 << 20, 'x')
  const metadata = JSON.stringify({ colour: 'blau', nested: { max_delete: [1, 2.5, null] } })
  const file = await volume.put({ path: 'a/ö 日本.txt', metadata, isPublic: true }, content)
  assert.equal(file.size, content.length)
  assert.deepEqual(JSON.parse(file.metadata), JSON.parse(metadata))
  const pieces = []
  for await (const piece of await volume.openFile({ path: 'a/ö 日本.txt' }, 5)) pieces.push(piece)
  assert.ok(pieces.every((piece) => Buffer.isBuffer(piece)))
  assert.equal(Buffer.concat(pieces).length, content.length - 5)
  const stream = Readable.from(await volume.openFile({ id: file.id }, 0, 4))
  assert.equal(await text(stream), 'xxxx')
  await writeFile(join(dir, 'other'), 'other')
  await volume.putFrom({ path: 'a/other' }, join(dir, 'other'))
  const names = []
  for await (const one of volume.eachFile({ prefix: 'a/' })) names.push(one.path)
  assert.deepEqual(names.sort(), ['a/other', 'a/ö 日本.txt'].sort())
  await volume.delete({ id: file.id })
  await fails('not_found', () => volume.stat({ path: 'a/ö 日本.txt' }))
  const deleted = []
  for await (const one of volume.eachDeleted()) deleted.push(one.id)
  assert.deepEqual(deleted, [file.id])
  assert.equal((await volume.restore(file.id)).isDeleted, false)
  assert.equal((await volume.recomputeQuotas()).volumeBytes, content.length + 5)
  assert.equal(volume.row().name, 'shelf')
})

test('what cannot be put is refused', async (t) => {
  const { volume } = await opened(t)
  await fails('invalid', () => volume.put({ path: 'a\ud800' }, Buffer.from('x')))
  await fails('invalid', () => volume.put({ path: '../a' }, Buffer.from('x')))
  await fails('invalid', () => volume.put({ path: 'a', metadata: '{' }, Buffer.from('x')))
  await fails('invalid', () => volume.put({ path: 'a', metadata: '"\\ud800"' }, Buffer.from('x')))
  await fails('invalid', () => volume.put({ path: 'a', metadata: '[1]' }, Buffer.from('x')))
  await fails('invalid', () => volume.put({}, Buffer.from('x')))
  for (const bytes of ['x', null, undefined, 7, [1], {}, new ArrayBuffer(3), new Uint16Array(3)]) {
    await fails('invalid', () => volume.put({ path: 'a' }, bytes), `bytes ${bytes}`)
  }
  await fails('invalid', () => volume.openFile({ path: 'a' }, 1.5))
  await fails('not_found', () => volume.openFile({ path: 'a' }, 0))
  await fails('not_found', () => volume.putFrom({ path: 'a' }, '/nowhere/at/all'))
  assert.equal((await volume.put({ path: 'a' }, new Uint8Array())).size, 0)
})

test('what is put is what it was when the call was made', async (t) => {
  const { volume } = await opened(t)
  const bytes = Buffer.alloc(1 << 20, 'a')
  const put = volume.put({ path: 'a' }, bytes)
  bytes.fill('b')
  await put
  assert.equal(await text(Readable.from(await volume.openFile({ path: 'a' }, 0, 3))), 'aaa')
})

test('rows are objects', async (t) => {
  const { session } = await world(t)
  const table = tables().find((one) => one.name === 'applications')
  assert.ok(table.columns.length > 0)
  const row = await session.createRow('applications', { name: 'Übersicht', status: 'ACTIVE' })
  assert.equal(row.name, 'Übersicht')
  const changed = await session.updateRow('applications', row.id, row.updated_at, { name: 'two' })
  assert.equal(changed.name, 'two')
  await fails('stale', () => session.updateRow('applications', row.id, row.updated_at, { name: 'three' }))
  assert.deepEqual(await session.getRow('applications', row.id), changed)
  const { rows } = await session.listRows('applications')
  assert.deepEqual(rows, [changed])
  const all = []
  for await (const one of session.eachRow('applications', {})) all.push(one)
  assert.deepEqual(all, rows)
  const second = await session.createRow('applications', { name: 'three', status: 'ACTIVE' })
  const names = async (filter) => (await session.listRows('applications', filter)).rows.map((one) => one.name)
  assert.deepEqual(await names(null), ['two', 'three'])
  assert.deepEqual(await names({ latestFirst: true }), ['three', 'two'])
  assert.deepEqual(await names({ equal: {}, withDeleted: true, latestFirst: false }), ['two', 'three'])
  await fails('invalid', () => session.listRows('applications', { equal: { status: 'ACTIVE' } }))
  const path = await session.createRow('local_paths', { path: '/x' })
  await session.createRow('local_paths', { path: '/y' })
  assert.deepEqual((await session.listRows('local_paths', { equal: { path: '/x' } })).rows, [path])
  await fails('invalid', () => session.listRows('applications', { equal: { no_column: 1 } }))
  await fails('invalid', () => session.listRows('applications', { equal: 'name' }))
  await fails('invalid', () => session.listRows('applications', { name: 'two' }))
  await session.deleteRow('applications', second.id)
  await fails('invalid', () => session.createRow('applications', { no_column: 1 }))
  await session.deleteRow('applications', row.id)
  await fails('not_found', () => session.deleteRow('applications', row.id))
})

test('a host keeps the key of the secrets', async (t) => {
  const { dir } = await world(t)
  const keys = new HostKeys()
  const asked = []
  const flip = (bytes) => bytes.map((byte) => byte ^ 0x5a)
  const served = keys.serve({
    wrap(bytes) {
      asked.push('wrap')
      return { keyId: 'the key', bytes: flip(bytes) }
    },
    async unwrap(bytes, keyId) {
      asked.push(`unwrap by ${keyId}`)
      return flip(bytes)
    },
  })
  const path = join(dir, 'sealed.db')
  const first = await Book.openWithKeys({ path }, keys)
  const session = await first.defaultSession()
  await session.saveVolume('far', 'davs://host.invalid/x', { user: 'me', password: 'hunter2' })
  assert.equal(asked[0], 'wrap')
  await first.shutdown()
  const second = await Book.openWithKeys({ path }, keys)
  assert.equal(await (await second.defaultSession()).renewDataKey(), 1)
  assert.ok(asked.includes('unwrap by the key'))
  await second.rotateKey({ passphrase: 'a long one', cost: { memoryKib: 19456, passes: 2, lanes: 1 } })
  await second.rotateToHostKeys(keys)
  await second.shutdown()
  keys.shutdown()
  await served
  const third = await Book.openWithKeys({ path }, keys)
  await fails('host', async () => (await third.defaultSession()).renewDataKey())
  await third.shutdown()
})

test('a book is copied, backed up and checked', async (t) => {
  const { dir, book, path } = await world(t)
  await book.backup(join(dir, 'copy.db'))
  await fails('conflict', () => book.backup(join(dir, 'copy.db')))
  const copy = await Book.open({ path: join(dir, 'copy.db') })
  const copying = book.copyInto(copy)
  assert.deepEqual(copying.progress(), { total: 0, done: 0 })
  await fails('unsupported', () => copying.finish())
  await copy.shutdown()
  await book.vacuum()
  await fails('corrupt', async () => {
    await writeFile(join(dir, 'text'), 'x'.repeat(200))
    await Book.open({ path: join(dir, 'text') })
  })
  assert.notEqual(path, '')
})
