// Builds the package into a directory: the native part by Cargo in its usual target directory, its loader and its types by napi's
// own generators, and beside them the JavaScript as it is.
//
//   node build.mjs OUTPUT [--release] [--fault]      fault: with panics on demand, for the tests
//
// `napi build` does the same in a target directory of each platform, which would compile everything once more.

import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const here = import.meta.dirname
const [output, ...options] = process.argv.slice(2)
if (!output) throw new Error('usage: node build.mjs OUTPUT [--release] [--fault]')
const destination = resolve(output)
const isRelease = options.includes('--release')
const features = options.includes('--fault') ? ['--features', 'fault'] : []
const { default: napi } = await import('@napi-rs/cli').catch(() => {
  // Installed elsewhere: NODE_PATH is for `require` only.
  return { default: createRequire(join(process.env.NODE_PATH ?? here, 'x'))('@napi-rs/cli') }
})
const { generateTypeDef, parseTriple, readNapiConfig, writeJsBinding } = napi

const repository = join(here, '../..')
const target = resolve(repository, process.env.CARGO_TARGET_DIR ?? 'target')
const types = join(target, 'node', 'types')
mkdirSync(types, { recursive: true })
for (const [crate, source] of [
  ['portbook-ffi', 'ffi/src/lib.rs'],
  ['portbook-node', 'bindings/node/src/lib.rs'],
]) {
  // The types are written while the crate is compiled: one that was compiled without them is compiled again.
  if (!existsSync(join(types, crate))) utimesSync(join(repository, source), new Date(), new Date())
}
execFileSync('cargo', ['build', '-p', 'portbook-node', ...(isRelease ? ['--release'] : []), ...features], {
  cwd: repository,
  stdio: 'inherit',
  env: { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: types },
})

rmSync(destination, { recursive: true, force: true })
mkdirSync(destination, { recursive: true })
const config = await readNapiConfig(join(here, 'package.json'))
const host = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1]
const { platformArchABI, platform } = parseTriple(host)
const library = { darwin: 'libportbook_node.dylib', win32: 'portbook_node.dll' }[platform] ?? 'libportbook_node.so'
const built = join(target, isRelease ? 'release' : 'debug', library)
copyFileSync(built, join(destination, `${config.binaryName}.${platformArchABI}.node`))
const { exports, dts } = await generateTypeDef({
  typeDefDir: types,
  cwd: here,
  configDtsHeaderFile: config.dtsHeaderFile,
  constEnum: config.constEnum,
})
await writeJsBinding({
  platform: true,
  idents: exports,
  jsBinding: 'native.js',
  format: 'commonjs',
  binaryName: config.binaryName,
  packageName: config.packageName,
  version: config.packageJson.version,
  outputDir: destination,
})
writeFileSync(join(destination, 'index.d.ts'), dts)
for (const name of ['package.json', 'README.md', 'index.js', 'index.mjs', 'index.d.mts', 'lib', 'tests']) {
  if (existsSync(join(here, name))) cpSync(join(here, name), join(destination, name), { recursive: true })
}
