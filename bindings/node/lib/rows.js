'use strict'

// Rows of a host's own tables, from objects and to them. What JSON has no form for is text, as said at `DatumKind`.

const { invalid } = require('./errors.js')

/** Deeper than any row; what goes on is a circle. */
const DEEPEST = 64

function value(given, at, depth) {
  if (depth > DEEPEST) throw invalid(at, 'it is too deep, or a circle')
  switch (typeof given) {
    case 'bigint':
      return `${given}`
    case 'number':
      return Number.isFinite(given) ? given : `${given}`
    case 'string':
      if (!given.isWellFormed()) throw invalid(at, 'it is not well-formed text')
      return given
    case 'boolean':
      return given
    case 'object':
      return given === null ? null : object(given, at, depth)
    default:
      throw invalid(at, `a ${typeof given} is nothing that a row can hold`)
  }
}

function object(given, at, depth) {
  if (given instanceof Date) {
    if (Number.isNaN(given.getTime())) throw invalid(at, 'it is no time')
    return given.toISOString()
  }
  if (given instanceof Uint8Array) return Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('base64')
  if (Array.isArray(given) || given instanceof Set) return Array.from(given, (inner, n) => value(inner, `${at}[${n}]`, depth + 1))
  // Without a prototype, so that no key is special.
  const copy = Object.create(null)
  for (const [key, inner] of Object.entries(given)) {
    if (!key.isWellFormed()) throw invalid(at, 'the name of a column is not well-formed text')
    // Nothing is said of that column.
    if (inner !== undefined) copy[key] = value(inner, `${at}.${key}`, depth + 1)
  }
  return copy
}

/** A row as the library reads it. */
function rowText(row) {
  if (typeof row !== 'object' || row === null) throw invalid('row', 'an object is wanted')
  return JSON.stringify(object(row, 'row', 0))
}

/** The rows of the library as objects. */
function rowsOf(texts) {
  return texts.map((text) => JSON.parse(text))
}

module.exports = { rowText, rowsOf }
