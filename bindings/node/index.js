'use strict'

// Portbook for Node: the native classes, completed by what is in lib/.

if (typeof String.prototype.isWellFormed !== 'function') throw new Error('portbook needs Node 20 or later')

const native = require('./native.js')
require('./lib/calls.js')
require('./lib/streams.js')
const { PortbookError } = require('./lib/errors.js')
const { HostKeys } = require('./lib/hosts.js')

module.exports.Book = native.Book
module.exports.BookCopy = native.BookCopy
module.exports.Conduit = native.Conduit
module.exports.FileReader = native.FileReader
module.exports.HostKeys = HostKeys
module.exports.HostStore = native.HostStore
module.exports.PortbookError = PortbookError
module.exports.Preview = native.Preview
module.exports.ProgressWatch = native.ProgressWatch
module.exports.Run = native.Run
module.exports.Session = native.Session
module.exports.Volume = native.Volume
module.exports.codes = native.codes
module.exports.tables = native.tables
module.exports.version = native.version
