'use strict'

// Handles are given by calls, never made: `new` says so with a code, as everything that fails does.

const { PortbookError } = require('./errors.js')

/** The class as it is shown: it is the one that handles are of, and nobody makes one. */
function shown(handle) {
  const construct = () => {
    throw new PortbookError('invalid', `could not make a ${handle.name}: it is given by a call, and never made`)
  }
  const value = new Proxy(handle, { construct })
  Object.defineProperty(handle.prototype, 'constructor', { value, configurable: true, writable: true })
  return value
}

module.exports = { shown }
