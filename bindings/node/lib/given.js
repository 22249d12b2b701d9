'use strict'

// What callers give, checked: whole numbers below 2^53, text that is well-formed. The native part could not tell any more: it
// gets 1.5 as 1, NaN as 0, and a lone surrogate as U+FFFD, by which two names would become one.

const native = require('../native.js')
const { invalid } = require('./errors.js')

const HANDLES = Object.values(native).filter((value) => typeof value === 'function' && value.prototype?.constructor === value)

/** Deeper than any record; what goes on is a circle. */
const DEEPEST = 64

/** The rows in an answer of a host, each a JSON text: their values are judged where the columns are known. */
const ROWS = new Set(['rows', 'deleted'])

/** Records and lists of them go as JSON text in a list of one. */
function given(value, at) {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'object' && !isPassed(value)) return [JSON.stringify(record(value, at, 0))]
  return typeof value === 'object' ? value : plain(value, at, Number.isSafeInteger)
}

function isPassed(value) {
  return value instanceof Uint8Array || HANDLES.some((handle) => value instanceof handle)
}

function plain(value, at, isNumber) {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw invalid(at, 'it is not well-formed text')
      return value
    case 'number':
      if (!isNumber(value)) throw invalid(at, 'a whole number below 2^53 is wanted')
      return value
    case 'boolean':
      return value
    default:
      throw invalid(at, `a ${typeof value} is nothing that can be given`)
  }
}

/** As the border names its fields: `maxDelete` is `max_delete` there, which is no name here. */
function record(value, at, depth) {
  return copied(value, at, depth, Number.isSafeInteger, (key, inner, where) => {
    if (key.includes('_')) throw invalid(where, 'there is no such field')
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    if (name === 'metadata') return [name, json(inner, where)]
    if (ROWS.has(name) && Array.isArray(inner)) return [name, Array.from(inner, (text, n) => row(text, `${where}[${n}]`))]
    // The columns of a filter have the names that they have in the book.
    return [name, name === 'equal' ? document(inner, where, depth + 1) : record(inner, where, depth + 1)]
  })
}

/** A row of a table, or anything else that is JSON: its fields have the names that they have in the book. */
function document(value, at = 'row', depth = 0) {
  const isNumber = (number) => Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))
  return copied(value, at, depth, isNumber, (key, inner, where) => [key, document(inner, where, depth + 1)])
}

function copied(value, at, depth, isNumber, field) {
  if (value === null || typeof value !== 'object') return value === null ? null : plain(value, at, isNumber)
  if (depth > DEEPEST) throw invalid(at, 'it is too deep, or a circle')
  if (Array.isArray(value)) return Array.from(value, (inner, n) => field('', inner, `${at}[${n}]`)[1])
  // Without a prototype, so that no key is special.
  const copy = Object.create(null)
  for (const [key, inner] of Object.entries(value)) {
    if (!key.isWellFormed()) throw invalid(at, 'the name of a field is not well-formed text')
    if (inner === undefined) continue
    const [name, what] = field(key, inner, `${at}.${key}`)
    copy[name] = what
  }
  return copy
}

/** A row that is text in its record. */
function row(text, at) {
  if (typeof text !== 'string') throw invalid(at, 'the JSON of a row is wanted')
  try {
    return JSON.parse(plain(text, at, Number.isSafeInteger))
  } catch (error) {
    throw error instanceof SyntaxError ? invalid(at, 'it is no JSON') : error
  }
}

/** A document that is text in its record. */
function json(text, at) {
  if (text === null) return null
  try {
    return document(JSON.parse(text), at)
  } catch (error) {
    throw error instanceof SyntaxError ? invalid(at, 'it is no JSON') : error
  }
}

module.exports = { document, given }
