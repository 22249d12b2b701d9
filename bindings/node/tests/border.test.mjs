// That the package is all of the border, and that what is generated is what is checked in.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import * as esm from 'portbook'
import { REPOSITORY } from './world.mjs'

const require = createRequire(import.meta.url)
const here = join(import.meta.dirname, '..')
const read = (path) => readFileSync(join(REPOSITORY, path), 'utf8')
const types = readFileSync(join(here, 'index.d.ts'), 'utf8')
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase())

/** The sources of the border. */
const sources = readdirSync(join(REPOSITORY, 'ffi/src'))
  .filter((name) => name.endsWith('.rs'))
  .map((name) => read(`ffi/src/${name}`))

/** Every method that the border exports, with its first sentence. */
function* exported() {
  for (const source of sources) {
    for (const [, handle, body] of source.matchAll(/uniffi::export\)\]\nimpl (\w+) \{\n(.*?)\n\}\n/gs)) {
      for (const [, docs, isAsync, name] of body.matchAll(/((?:^ {4}\/\/\/[^\n]*\n)+)(?:^ {4}#[^\n]*\n)*^ {4}pub (async )?fn (\w+)/gms)) {
        const text = docs.replaceAll(/^ *\/\/\/ ?/gm, '').split('\n\n')[0].replaceAll(/\s+/g, ' ').trim()
        yield { handle, name: name === 'new' ? 'constructor' : camel(name), isAsync: Boolean(isAsync), docs: text }
      }
    }
  }
}

/** The declaration of a class: what stands in its body, by the name of the method. */
function declared(handle) {
  const body = new RegExp(`export declare class ${handle} \\{\\n(.*?)\\n\\}`, 's').exec(types)?.[1] ?? ''
  const methods = new Map()
  for (const [, docs, name, rest] of body.matchAll(/\/\*\*(.*?)\*\/\s+(?:static )?(\w+)(\(.*?\)(?:: [^\n]+)?)$/gms)) {
    methods.set(name, { docs: docs.replaceAll(/^ *\*? ?/gm, '').replaceAll(/\s+/g, ' ').trim(), rest })
  }
  return methods
}

/** Without the marks by which Rust and JavaScript name things otherwise. */
const plainly = (text) =>
  text
    .replaceAll(/\[`([^`]+)`\]\([^)]*\)/g, '`$1`')
    .replaceAll(/[`_:.]/g, '')
    .toLowerCase()

test('every handle and method of the border is here, with its words', () => {
  const all = [...exported()]
  assert.ok(all.length >= 90, `${all.length} methods`)
  for (const { handle, name, isAsync, docs } of all) {
    const method = declared(handle).get(name)
    assert.ok(method, `${handle}.${name} is not declared`)
    assert.equal(/Promise</.test(method.rest), isAsync, `${handle}.${name}${method.rest}`)
    const owner = esm[handle].prototype
    assert.equal(typeof (owner[name] ?? esm[handle][name]), 'function', `${handle}.${name}`)
    // The names of other things are written otherwise; what is said is the same.
    const [said, wanted] = [plainly(method.docs), plainly(docs)]
    assert.ok(said.startsWith(wanted.slice(0, 30)), `${handle}.${name}: ${said} / ${wanted}`)
  }
})

test('every record of the border is declared, with its fields', () => {
  let records = 0
  for (const name of readdirSync(join(REPOSITORY, 'ffi/src/records'))) {
    for (const [, record, body] of read(`ffi/src/records/${name}`).matchAll(/napi\(object\)\)\](?:\n#[^\n]*)*\npub struct (\w+) \{\n(.*?)\n\}/gs)) {
      records += 1
      const declaration = new RegExp(`export interface ${record} \\{\\n(.*?)\\n\\}`, 's').exec(types)?.[1]
      assert.ok(declaration, record)
      for (const [, field, type] of body.matchAll(/^ {4}pub (\w+): ([^\n]+),$/gm)) {
        const mark = type.startsWith('Option<') ? '\\?' : ''
        assert.match(declaration, new RegExp(`^ {2}${camel(field)}${mark}: `, 'm'), `${record}.${field}`)
      }
    }
  }
  assert.ok(records > 50, `${records} records`)
})

test('what is generated is what is checked in', () => {
  for (const name of ['index.d.ts', 'native.js']) {
    assert.equal(readFileSync(join(here, name), 'utf8'), read(`bindings/node/${name}`), `${name}: copy it from ${here}`)
  }
})

test('both entry points have the same', () => {
  const cjs = require('portbook')
  assert.deepEqual(Object.keys(esm).filter((name) => name !== 'default').sort(), Object.keys(cjs).sort())
  for (const name of Object.keys(cjs)) assert.equal(esm[name], cjs[name], name)
  assert.equal(esm.default, cjs)
  for (const name of Object.keys(cjs)) assert.match(types, new RegExp(`export declare (class|function) ${name}\\b`), name)
})

test('codes are those of C, and the table of the README', () => {
  const header = read('include/portbook.h')
  const readme = readFileSync(join(here, 'README.md'), 'utf8')
  for (const { text, number } of esm.codes()) {
    assert.match(header, new RegExp(`PORTBOOK_${text.toUpperCase()} = ${number},`), text)
    assert.match(readme, new RegExp(`^\\| \`${text}\` \\|`, 'm'), text)
    assert.match(types, new RegExp(`'${text}'`), text)
  }
})

test('the version is that of the library', () => {
  const { version } = JSON.parse(read('bindings/node/package.json'))
  assert.equal(version, esm.version())
})
