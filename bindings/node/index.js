'use strict'

// Portbook for Node: the native classes, completed by what is in lib/.

if (typeof String.prototype.isWellFormed !== 'function') throw new Error('portbook needs Node 20 or later')

const native = require('./native.js')
const { functions } = require('./lib/calls.js')
require('./lib/streams.js')
const { shown } = require('./lib/classes.js')
const { PortbookError } = require('./lib/errors.js')
const { HostKeys } = require('./lib/hosts.js')

module.exports.Book = shown(native.Book)
module.exports.BookCopy = shown(native.BookCopy)
module.exports.Conduit = shown(native.Conduit)
module.exports.Definition = shown(native.Definition)
module.exports.FileReader = shown(native.FileReader)
module.exports.HostKeys = HostKeys
module.exports.HostRecords = shown(native.HostRecords)
module.exports.HostStore = shown(native.HostStore)
module.exports.PortbookError = PortbookError
module.exports.Preview = shown(native.Preview)
module.exports.ProgressWatch = shown(native.ProgressWatch)
module.exports.Run = shown(native.Run)
module.exports.Session = shown(native.Session)
module.exports.Volume = shown(native.Volume)
module.exports.codes = native.codes
module.exports.contentHash = functions.contentHash
module.exports.pathBytes = functions.pathBytes
module.exports.showAddress = functions.showAddress
module.exports.showPath = functions.showPath
module.exports.tables = native.tables
module.exports.version = native.version
