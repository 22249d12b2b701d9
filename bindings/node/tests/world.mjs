// What the tests share: a directory of their own, a book in it, two places.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Book, PortbookError } from 'portbook'

/** The repository, whose sources some tests read. */
export const REPOSITORY = process.env.PORTBOOK_REPOSITORY ?? join(import.meta.dirname, '../../..')

export const directory = (path) => ({ type: 'directory', path })

/** A directory with a book and a source of some files; all of it goes with the test. */
export async function world(t, files = { 'a.txt': 'one', 'b.txt': 'three', 'c.txt': 'seven77' }) {
  const dir = await mkdtemp(join(tmpdir(), 'portbook-node-'))
  const path = join(dir, 'book.db')
  await mkdir(join(dir, 'source'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, 'source', name), content)
  const book = await Book.open({ path })
  t.after(async () => {
    await book.shutdown()
    await rm(dir, { recursive: true })
  })
  const session = await book.defaultSession()
  const [source, target] = [directory(join(dir, 'source')), directory(join(dir, 'target'))]
  return { dir, path, book, session, source, target }
}

/** A world with a conduit between its places. */
export async function connected(t, files) {
  const all = await world(t, files)
  return { ...all, conduit: await all.session.connect(all.source, all.target) }
}

/** Many small files. */
export function many(count) {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}.txt`, `${n}`]))
}

/** The call fails with that code, whether it throws or rejects. */
export async function fails(code, call, what = String(call)) {
  let returned = false
  try {
    const answer = call()
    returned = true
    await answer
  } catch (error) {
    assert.ok(error instanceof PortbookError, `${what}: ${error?.stack}`)
    assert.equal(error.code, code, `${what}: ${error.message}`)
    assert.notEqual(error.message, '', what)
    assert.equal(typeof error.advice, 'string', what)
    assert.equal(typeof error.isRetryable, 'boolean', what)
    return { error, isRejection: returned }
  }
  assert.fail(`${what}: it did not fail`)
}

/** Runs a program of Node in a process of its own, which has to end by itself in time. */
export async function program(source, { flags = [], args = [], within = 60_000, cwd = import.meta.dirname } = {}) {
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', source, '--', ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let errors = ''
  child.stdout.on('data', (data) => (out += data))
  child.stderr.on('data', (data) => (errors += data))
  const late = setTimeout(() => child.kill('SIGKILL'), within)
  const [status, signal] = await once(child, 'close')
  clearTimeout(late)
  return { status, signal, out, errors }
}
