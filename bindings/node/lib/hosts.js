'use strict'

// Answering what the engine asks of a host, from an object of the host's.

const native = require('../native.js')
const { CODES, PortbookError, told } = require('./errors.js')
const { rowText, rowsOf } = require('./rows.js')

const DONE = { type: 'done' }
const ABSENT = { type: 'absent' }

/** How each request of files is made a call, and its answer an answer. */
const FILES = {
  async list_dir(files, { path, after }) {
    const found = await files.listDir(path, after)
    if (found === null || found === undefined) return ABSENT
    return Array.isArray(found) ? { type: 'listing', entries: found } : { type: 'listing', ...found }
  },
  async look(files, { path }) {
    const entry = await files.look(path)
    return entry === null || entry === undefined ? ABSENT : { type: 'found', entry }
  },
  async read_at(files, { path, offset, length }) {
    return (await files.readAt(path, offset, length)) ?? ABSENT
  },
  async write_at(files, { id, path, offset }, store) {
    await files.writeAt(path, offset, store.bytes(id))
    return DONE
  },
  async set_modified(files, { path, modifiedAt }) {
    await files.setModified(path, modifiedAt)
    return DONE
  },
  async make_dir(files, { path }) {
    await files.makeDir(path)
    return DONE
  },
  async rename(files, { path, to, replace }) {
    await files.rename(path, to, replace)
    return DONE
  },
  async remove_item(files, { path }) {
    await files.removeItem(path)
    return DONE
  },
  async flush(files) {
    await files.flush?.()
    return DONE
  },
}

async function answerFiles(store, request, files) {
  const answer = await FILES[request.type](files, request, store)
  if (answer instanceof Uint8Array) store.replyBytes(request.id, answer)
  else store.reply(request.id, answer)
}

/** Readings that may be under way; one that was given up makes room for others. */
const KEPT = 64

/** Rows that are read page by page, of one host. */
class Readings {
  #readings = new Map()
  #last = 0

  /** A page of a reading that begins, or goes on after that place. */
  async page(begun, after, limit) {
    const reading = after === undefined || after === null ? { next: iterator(await begun()), more: [] } : this.#readings.get(after)
    if (!reading) throw new Error('the reading is over: it was given up for others')
    this.#readings.delete(after)
    const rows = reading.more
    while (rows.length <= limit) {
      const { done, value } = await reading.next()
      if (done) return { rows }
      rows.push(value)
    }
    reading.more = rows.splice(limit)
    const next = `${++this.#last}`
    this.#readings.set(next, reading)
    if (this.#readings.size > KEPT) this.#readings.delete(this.#readings.keys().next().value)
    return { rows, next }
  }
}

function iterator(rows) {
  if (rows === null || rows === undefined) throw new PortbookError('host', 'could not use the tables of the host: it gave no rows')
  const all = (rows[Symbol.asyncIterator] ?? rows[Symbol.iterator]).call(rows)
  return () => all.next()
}

/** One after another, the cursor as the last. */
async function* changesOf({ rows, deleted, cursor }) {
  for await (const row of rows) yield { row: rowText(row) }
  for await (const key of deleted) yield { key: rowText(key) }
  yield { cursor }
}

function method(source, name) {
  if (typeof source[name] !== 'function') throw new PortbookError('unsupported', `the host has no ${name}`)
  return source[name].bind(source)
}

function written(outcomes) {
  return outcomes === null || outcomes === undefined ? DONE : { type: 'written', outcomes }
}

/** How each request of tables is made a call, and its answer an answer. */
const RECORDS = {
  async describe(source, { table }) {
    const described = await source.describe(table)
    return described === null || described === undefined ? ABSENT : { type: 'described', table: described }
  },
  async scan(source, { table, after, limit }, readings) {
    const { rows, next } = await readings.page(() => source.scan(table), after, limit)
    return { type: 'rows', rows: rows.map(rowText), next }
  },
  async fetch(source, { table, keys }) {
    const rows = []
    for await (const row of await method(source, 'fetch')(table, rowsOf(keys))) rows.push(rowText(row))
    return { type: 'rows', rows }
  },
  async changes(source, { table, since, after, limit }, readings) {
    const begun = async () => changesOf(await method(source, 'changes')(table, since ?? undefined))
    const { rows, next } = await readings.page(begun, after, limit)
    const texts = (name) => rows.filter((one) => name in one).map((one) => one[name])
    return { type: 'changes', rows: texts('row'), deleted: texts('key'), next, cursor: texts('cursor')[0] }
  },
  async insert(source, { table, rows }) {
    return written(await method(source, 'insert')(table, rowsOf(rows)))
  },
  async update(source, { table, key, rows }) {
    return written(await method(source, 'update')(table, key, rowsOf(rows)))
  },
  async delete(source, { table, keys }) {
    return written(await method(source, 'delete')(table, rowsOf(keys)))
  },
}

async function answerRecords(store, request, { source, readings }) {
  store.reply(request.id, await RECORDS[request.type](source, request, readings))
}

async function answerKeys(keys, { id, action, keyId, context }, service) {
  if (action === 'wrap') {
    const wrapped = await service.wrap(keys.bytes(id), context)
    keys.reply(id, wrapped.keyId, wrapped.bytes)
  } else {
    keys.reply(id, '', await service.unwrap(keys.bytes(id), keyId, context))
  }
}

/** Answers until the end, beside each other: one that takes long holds up no other. */
async function serve(handle, answer, host) {
  for await (const request of handle) {
    answer(handle, request, host).catch((error) => {
      const text = String(error?.message ?? error).toWellFormed()
      try {
        handle.fail(request.id, text, CODES.has(error?.code) ? error.code : undefined)
      } catch {
        // It was answered, or nobody waits for it any more.
      }
    })
  }
}

native.HostStore.prototype.serve = function (files) {
  return serve(this, answerFiles, files)
}

native.HostRecords.prototype.serve = function (source) {
  return serve(this, answerRecords, { source, readings: new Readings() })
}

/** A constructor cannot be made again as a method can: this one fails as everything else does. */
class HostKeys extends native.HostKeys {
  constructor(timeoutMs) {
    if (timeoutMs !== undefined && timeoutMs !== null && !Number.isSafeInteger(timeoutMs)) {
      throw new PortbookError('invalid', 'could not read the argument timeoutMs: a whole number below 2^53 is wanted')
    }
    try {
      super(timeoutMs)
    } catch (error) {
      throw told(error)
    }
  }

  serve(service) {
    return serve(this, answerKeys, service)
  }
}

module.exports = { HostKeys }
