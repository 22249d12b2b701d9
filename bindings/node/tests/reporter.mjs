// Says what the harness of Rust says: a line for each test, "SKIPPED name: why", and the counts.

import { basename } from 'node:path'

export default async function* reporter(events) {
  let passed = 0
  let failed = 0
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // A file is a test of its own for the runner.
    const isFile = data.nesting === 0 && data.name.endsWith('.test.mjs')
    if (isFile && type === 'test:pass') continue
    const name = `node::${basename(data.file ?? data.name, '.test.mjs')}::${data.name.replaceAll(' ', '_')}`
    if (data.skip !== undefined) {
      passed += 1
      yield `SKIPPED ${name}: ${data.skip}\n`
    } else if (type === 'test:pass') {
      passed += 1
      yield `test ${name} ... ok\n`
    } else {
      failed += 1
      const error = data.details.error
      yield `    ${String(error?.cause?.stack ?? error).replaceAll('\n', '\n    ')}\ntest ${name} ... FAILED\n`
    }
  }
  yield `test result: ${failed ? 'FAILED' : 'ok'}. ${passed} passed; ${failed} failed; 0 ignored\n`
}
