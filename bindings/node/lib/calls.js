'use strict'

// The methods of the native classes as they are called: what is given is checked, what fails is a `PortbookError`, thrown where a
// method returns at once and the rejection where it returns a promise; a signal in an argument ends the wait.

const native = require('../native.js')
const { cancelled, invalid, told } = require('./errors.js')
const { document, given } = require('./given.js')

/** What returns at once. Everything else returns a promise. */
const AT_ONCE = {
  Book: ['copyInto'],
  BookCopy: ['progress', 'cancel'],
  Session: ['tenant', 'watchProgress', 'hostStore', 'hostRecords'],
  Conduit: ['id', 'options', 'apply', 'sync'],
  Definition: ['id', 'apply', 'sync'],
  Preview: ['id'],
  Run: ['cancel', 'pause', 'resume'],
  Volume: ['row'],
  HostStore: ['bytes', 'reply', 'replyBytes', 'fail', 'shutdown'],
  HostRecords: ['reply', 'fail', 'shutdown'],
  HostKeys: ['bytes', 'reply', 'fail', 'shutdown'],
}

/** What begins something that has a `cancel` and a `finish` of its own. */
const BEGINS = new Set(['apply', 'copyInto', 'sync'])

/** What gives one thing after another: a wait that is given up loses none. */
const STREAMS = new Set(['nextEvent', 'nextPiece', 'nextRequest', 'nextRow'])

/** What is objects here and text at the border: where it stands in the arguments, and how the answer is read. */
const TEXTS = {
  changes: [-1, JSON.parse],
  createRow: [1, JSON.parse],
  getRow: [-1, JSON.parse],
  listRows: [-1, (page) => ({ ...page, rows: page.rows.map((row) => JSON.parse(row)) })],
  updateRow: [3, JSON.parse],
  restoreRow: [-1, JSON.parse],
}

/** What nobody waits for any more of a stream, for whoever asks next. */
const left = new WeakMap()

/** How the signal of something under way is let go of. */
const watched = new WeakMap()

function prepared(name, args) {
  const [at] = TEXTS[name] ?? [-1]
  return args.map((value, n) => {
    if (n !== at || value === undefined || value === null) return given(value, `${n + 1} of ${name}`)
    if (typeof value !== 'object') throw invalid(`${n + 1} of ${name}`, 'an object is wanted')
    return JSON.stringify(document(value))
  })
}

/** Takes the signal out of the arguments: out of the last that has one. */
function signalOf(args) {
  const at = args.findLastIndex((value) => typeof value === 'object' && value?.signal instanceof AbortSignal)
  if (at < 0) return undefined
  const { signal, ...rest } = args[at]
  args[at] = rest
  if (signal.aborted) throw cancelled(signal)
  return signal
}

/** The promise, or the end of the wait for it. */
function until(signal, promise, onGivenUp) {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      onGivenUp?.()
      reject(cancelled(signal))
    }
    const letGo = (settle) => (value) => {
      signal.removeEventListener('abort', giveUp)
      settle(value)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(letGo(resolve), letGo(reject))
  })
}

function atOnce(name, call) {
  return function (...args) {
    const signal = BEGINS.has(name) ? signalOf(args) : undefined
    try {
      const answer = call.apply(this, prepared(name, args))
      if (signal) {
        const cancel = () => answer.cancel()
        signal.addEventListener('abort', cancel, { once: true })
        watched.set(answer, () => signal.removeEventListener('abort', cancel))
      }
      return answer
    } catch (error) {
      throw told(error)
    }
  }
}

function later(name, call) {
  const read = TEXTS[name]?.[1]
  return async function (...args) {
    const signal = signalOf(args)
    try {
      const promise = call.apply(this, prepared(name, args))
      const answer = await (signal ? until(signal, promise) : promise)
      return read ? read(answer) : answer
    } catch (error) {
      throw told(error)
    } finally {
      if (name === 'finish') watched.get(this)?.()
    }
  }
}

function streamed(name, call) {
  return async function (...args) {
    const signal = signalOf(args)
    try {
      const promise = left.get(this)?.shift() ?? call.call(this)
      return await (signal ? until(signal, promise, () => leave(this, promise)) : promise)
    } catch (error) {
      throw told(error)
    }
  }
}

function leave(handle, promise) {
  if (!left.has(handle)) left.set(handle, [])
  left.get(handle).unshift(promise)
}

function finish(owner, className) {
  for (const [name, { value: call, ...rest }] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
    if (typeof call !== 'function' || name === 'constructor') continue
    const kind = AT_ONCE[className]?.includes(name) ? atOnce : STREAMS.has(name) ? streamed : later
    const value = kind(name, call)
    Object.defineProperty(value, 'name', { value: name })
    Object.defineProperty(owner, name, { ...rest, value })
  }
}

/** The functions that belong to no handle and are given something. */
const functions = Object.fromEntries(
  ['contentHash', 'pathBytes', 'showAddress', 'showPath'].map((name) => {
    const call = atOnce(name, native[name])
    return [name, Object.defineProperty(call, 'name', { value: name })]
  }),
)

for (const className of Object.keys(native)) {
  const handle = native[className]
  if (handle?.prototype?.constructor !== handle) continue
  finish(handle, className)
  finish(handle.prototype, className)
}

module.exports = { functions }
