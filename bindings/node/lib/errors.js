'use strict'

const native = require('../native.js')

const CODES = new Map(native.codes().map((info) => [info.code, info]))

/** A failure. The code is the contract; the text is for people. */
class PortbookError extends Error {
  constructor(code, text, advice = '', options = undefined) {
    super(text, options)
    this.code = code
    this.advice = advice
  }

  /** Whether the same call may succeed later as it stands. */
  get isRetryable() {
    return CODES.get(this.code)?.isRetryable ?? false
  }
}
Object.defineProperty(PortbookError.prototype, 'name', { value: 'PortbookError', configurable: true, writable: true })

/** What cannot be used as it stands. Never shows it: it may be a secret. */
function invalid(what, why) {
  return new PortbookError('invalid', `could not read the argument ${what}: ${why}`)
}

function cancelled(signal) {
  return new PortbookError('cancelled', 'could not wait for the call: it was cancelled', '', { cause: signal.reason })
}

/** What the native part failed with, as our error: its own are JSON, those of napi-rs are about arguments or defects. */
function told(error) {
  if (error instanceof PortbookError || !(error instanceof Error)) return error
  try {
    const { code, text, advice } = JSON.parse(error.message)
    if (CODES.has(code)) return new PortbookError(code, text, advice)
  } catch {
    // It is none of the library's.
  }
  const isOurs = error.code === 'GenericFailure' || (error.code === undefined && !(error instanceof TypeError))
  const code = isOurs ? 'internal' : 'invalid'
  return new PortbookError(code, `could not make the call: ${error.message}`, '', { cause: error })
}

module.exports = { CODES, PortbookError, cancelled, invalid, told }
