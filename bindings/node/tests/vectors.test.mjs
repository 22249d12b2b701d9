// The pure calls answer what an implementation beside ours says (tests/vectors/pure.json), as in every language.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { contentHash, pathBytes, showAddress, showPath } from 'portbook'
import { REPOSITORY, fails } from './world.mjs'

const HOLDS = {
  content: ({ length, hash }) => assert.equal(contentHash(Uint8Array.from({ length }, (_, n) => n % 251)), hash),
  path({ hex, shown }) {
    assert.equal(showPath(Buffer.from(hex, 'hex')), shown)
    assert.equal(pathBytes(shown).toString('hex'), hex)
  },
  'no path': ({ hex }) => fails('invalid', () => showPath(Buffer.from(hex, 'hex'))),
  'not shown': ({ shown }) => fails('invalid', () => pathBytes(shown)),
  address({ written, shown }) {
    assert.equal(showAddress(written), shown)
    assert.equal(showAddress(shown), shown)
  },
  'no address': ({ written }) => fails('invalid', () => showAddress(written)),
}

test('the vectors hold', async () => {
  const vectors = JSON.parse(readFileSync(join(REPOSITORY, 'tests/vectors/pure.json'), 'utf8'))
  assert.ok(vectors.length > 70, `${vectors.length}`)
  for (const vector of vectors) await HOLDS[vector.of](vector)
})

test('what is no bytes and no text is refused', async () => {
  for (const wrong of [undefined, null, 7, {}, [1], 'text', '\ud800']) await fails('invalid', () => contentHash(wrong))
  for (const wrong of [undefined, null, 7, {}, '\ud800']) await fails('invalid', () => pathBytes(wrong))
})
