/** Rules for what docker/ builds and starts, read off the files: they hold where no engine is there, too. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../../..')
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const linesOf = (file: string): readonly string[] => read(file).replaceAll('\\\n', ' ').split('\n')

test('OP-24 TE-17 the image runs as nobody special, on one volume, and says how it is', () => {
  const lines = linesOf('docker/Dockerfile').filter((line) => !line.startsWith('#'))
  const of = (word: string): readonly string[] => lines.filter((line) => line.startsWith(`${word} `))
  assert.equal(of('USER').at(-1), 'USER 1000:1000')
  assert.deepEqual(of('VOLUME'), ['VOLUME /data'])
  assert.equal(of('HEALTHCHECK').length, 1)
  assert.deepEqual([...of('ENTRYPOINT'), ...of('CMD')], ['ENTRYPOINT ["sotto"]', 'CMD ["daemon"]'])
  assert.equal(of('FROM').length, 3, 'what npm and the page’s build need stays behind in stages of their own')
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))
  assert.ok(!last.some((line) => line.startsWith('RUN npm')))
})

test('TE-17 images are built from two known ones, by an engine of any age, and without anybody’s registry', () => {
  for (const file of ['docker/Dockerfile', 'docker/router.Dockerfile']) {
    const text = read(file)
    for (const [, image] of text.matchAll(/^FROM (\S+)/gm))
      assert.ok(['node:24-bookworm-slim', 'debian:bookworm-slim'].includes(image ?? ''), image)
    assert.doesNotMatch(text, /^# syntax=|<<|--link|--start-interval/m, file)
  }
  const files = readdirSync(join(ROOT, 'docker')).filter((name) => /\.(ts|sh|yaml|json)$|Dockerfile$/.test(name))
  for (const name of files) {
    assert.doesNotMatch(read(join('docker', name)), /https?:|registry|\.io\b/i, name)
  }
})

test('TE-17 only what the image is made of is sent to the engine', () => {
  const [first, ...rest] = linesOf('.dockerignore').filter((line) => line !== '' && !line.startsWith('#'))
  assert.equal(first, '*')
  const sent = rest.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const copied = ['docker/Dockerfile', 'docker/router.Dockerfile']
    .flatMap(linesOf)
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(' ').slice(1, -1))
    .filter((word) => !word.startsWith('--'))
  assert.deepEqual(new Set(sent), new Set(copied))
})

interface Locked {
  readonly packages: Readonly<Record<string, { readonly peer?: boolean }>>
}

test('OP-24 the mobile framework that one package asks for as a peer stays out of the image', () => {
  const [install = ''] = linesOf('docker/Dockerfile').filter((line) => line.includes('npm ci --omit=dev'))
  for (const flag of ['--omit=dev', '--omit=peer', '--ignore-scripts']) assert.ok(install.includes(flag), flag)
  const { packages } = JSON.parse(read('package-lock.json')) as Locked
  const framework = Object.entries(packages).filter(([path]) =>
    /node_modules\/(react-native|@react-native\/.*)$/.test(path),
  )
  for (const [path, { peer }] of framework) assert.equal(peer, true, path)
})

/** The services of a file, by name, as text. */
function servicesOf(file: string): ReadonlyMap<string, string> {
  const [, services = ''] = /^services:\n((?:(?: .*)?\n)*)/m.exec(read(file)) ?? []
  const blocks = services.split(/^ {2}(?=[\w-]+:\n)/m).slice(1)
  return new Map(blocks.map((block) => [block.slice(0, block.indexOf(':')), block]))
}

test('TE-17 every daemon is without privileges; routers may change their own network and nothing else', () => {
  const models = servicesOf('docker/sotto.yaml')
  assert.deepEqual([...models.keys()], ['sotto', 'bootstrap', 'relay', 'router'])
  const hardening = [
    'read_only: true',
    'cap_drop: [ALL]',
    'no-new-privileges:true',
    'init: true',
    'mem_limit:',
    'pids_limit:',
  ]
  for (const name of ['sotto', 'router']) {
    for (const line of hardening) assert.ok(models.get(name)?.includes(line), `${name}: ${line}`)
  }
  for (const name of ['bootstrap', 'relay']) assert.match(models.get(name) ?? '', /extends: sotto\n/)
  assert.match(models.get('sotto') ?? '', /user: '1000:1000'/)
  assert.doesNotMatch(models.get('sotto') ?? '', /cap_add/)
  assert.match(models.get('router') ?? '', /cap_add: \[NET_ADMIN\]\n/)
  const services = servicesOf('docker/compose.yaml')
  assert.ok(services.size >= 15, [...services.keys()].join(' '))
  for (const [name, text] of services) {
    const model = /extends: { file: sotto\.yaml, service: (\w+) }/.exec(text)?.[1]
    assert.equal(model === 'router', name === 'internet' || name.startsWith('router-'), name)
    assert.ok(model !== undefined && models.has(model), name)
    assert.doesNotMatch(text, /privileged|network_mode|ports:|cap_|user:|security_opt|devices:/, name)
  }
})
