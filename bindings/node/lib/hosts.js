'use strict'

// Answering what the engine asks of a host, from an object of the host's.

const native = require('../native.js')
const { CODES, PortbookError, told } = require('./errors.js')

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
