import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { listMetrics, seriesOf } from '../../scripts/metrics-table.ts'
import { parseYaml } from '../support/yaml.ts'

const root = path.join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

interface Rule {
  alert: string
  expr: string
  labels: Record<string, string>
  annotations: Record<string, string>
}
const { groups } = parseYaml(read('ops/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }
const alerts = groups.flatMap(({ rules }) => rules)
const names = alerts.map(({ alert }) => alert)
const { tests } = parseYaml(read('ops/prometheus/alerts.test.yml')) as {
  tests: { name: string; promql_expr_test: { expr: string; exp_samples: { value: number }[] }[] }[]
}

const { process: own, installation } = listMetrics()
const series = new Set([...own, ...installation].flatMap(seriesOf))
/** What a text names that no process has. `up` and `ALERTS` are Prometheus's own. */
const unknownMetrics = (text: string) =>
  [...text.matchAll(/\b(?:bulkhead|nodejs|process)_[a-z0-9_]+\b/g)]
    .map(([name]) => name)
    .filter((name) => !series.has(name) && !series.has(`${name}_count`))

/** Why promtool is not there, or false. On CI nothing is skipped: there it has to be installed. */
const noPromtool = spawnSync('promtool', ['--version']).error !== undefined && 'promtool is not installed'
if (noPromtool !== false && process.env['CI'] === 'true') throw new Error(noPromtool)

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    cwd: path.join(root, 'ops/prometheus'),
    encoding: 'utf8'
  })
  assert.equal(status, 0, stdout + stderr)
}

describe('the alert rules', () => {
  it('fire and stay silent as their tests say', { skip: noPromtool }, () => {
    promtool('test', 'rules', 'alerts.test.yml')
  })

  it('are a configuration that Prometheus takes', { skip: noPromtool }, () => {
    promtool('check', 'config', 'prometheus.yml')
  })

  it('have unique names, a severity and a summary', () => {
    assert.deepEqual(names, [...new Set(names)])
    assert.ok(names.length >= 20)
    for (const { labels, annotations } of alerts) {
      assert.match(labels['severity'] ?? '', /^(warning|critical)$/)
      assert.match(labels['area'] ?? '', /^(operational|financial|third-party)$/)
      assert.ok((annotations['summary'] ?? '').length > 10)
    }
  })

  it('each have a test in which they fire and one in which they stay silent', () => {
    for (const alert of names)
      for (const [kind, expected] of [
        ['fires', 1],
        ['stays silent', 0]
      ] as const) {
        const found = tests.filter(({ name }) => name.startsWith(`${alert} ${kind} when `))
        assert.ok(found.length > 0, `${alert} ${kind}`)
        for (const { promql_expr_test } of found) {
          const [question] = promql_expr_test
          assert.equal(question?.expr, `count(ALERTS{alertname="${alert}", alertstate="firing"})`)
          assert.equal(question.exp_samples.length, expected)
        }
      }
  })

  it('use no metric that no process has', () => {
    for (const { alert, expr } of alerts) {
      assert.deepEqual(unknownMetrics(expr), [], alert)
      assert.match(expr, /\b(bulkhead|nodejs)_|\bup\b/)
    }
    assert.deepEqual(unknownMetrics(read('ops/prometheus/alerts.test.yml')), [])
    assert.deepEqual(unknownMetrics('rate(bulkhead_no_such_total[5m])'), ['bulkhead_no_such_total'])
  })
})

describe('the runbooks', () => {
  it('are one for each alert, and no other', () => {
    const pages = readdirSync(path.join(root, 'docs/runbooks')).map((file) => path.basename(file, '.md'))
    assert.deepEqual(pages.toSorted(), names.toSorted())
    const index = read('docs/operations.md')
    for (const { alert, annotations, labels } of alerts) {
      assert.equal(annotations['runbook_url'], `docs/runbooks/${alert}.md`)
      assert.ok(index.includes(`| [${alert}](runbooks/${alert}.md) | ${labels['severity']} |`), alert)
    }
  })

  const commands = [...read('src/main.ts').matchAll(/\.command\('([a-z-]+)'/g)].map(([, name]) => name)
  for (const file of globSync('docs/runbooks/*.md', { cwd: root }))
    it(`say what it means, what to look at and what to do, by what exists: ${path.basename(file)}`, () => {
      const text = read(file)
      assert.match(text, new RegExp(`^# ${path.basename(file, '.md')}\n\n## What it means\n\n\\S`))
      assert.match(text, /\n## Look at\n\n- [^]*\n## Do\n\n1\. /)
      assert.deepEqual(unknownMetrics(text), [])
      for (const [, command] of text.matchAll(/node src\/main\.ts ([a-z-]+)/g))
        assert.ok(commands.includes(command), `there is no command ${command}`)
      for (const [, link = ''] of text.matchAll(/\]\(([^)]+\.md)\)/g))
        assert.ok(readFileSync(path.join(root, path.dirname(file), link)).length > 0)
    })
})

describe('the dashboard', () => {
  it('uses no metric that no process has, and shows each that there is', () => {
    const text = read('ops/grafana/bulkhead.json')
    assert.deepEqual(unknownMetrics(text), [])
    const shown = new Set(
      [...text.matchAll(/\bbulkhead_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
    )
    const bulkheads = [...own, ...installation]
      .map(({ name }) => name)
      .filter((name) => /^bulkhead_/.test(name))
    assert.deepEqual(
      bulkheads.filter((name) => !shown.has(name)),
      []
    )
  })

  const { panels } = JSON.parse(read('ops/grafana/bulkhead.json')) as {
    panels: { id: number; targets?: { datasource: { uid: string }; expr: string }[] }[]
  }
  const targets = panels.flatMap((panel) => panel.targets ?? [])

  it('numbers its panels, and asks the data source that is chosen', () => {
    assert.deepEqual(
      panels.map(({ id }) => id),
      panels.map((_, index) => index + 1)
    )
    assert.deepEqual([...new Set(targets.map(({ datasource }) => datasource.uid))], ['${datasource}'])
  })

  it('asks in the language of Prometheus', { skip: noPromtool }, (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-dashboard-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const rules = targets.map(({ expr }, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll('$__rate_interval', '1m')
    }))
    const file = path.join(folder, 'rules.yml')
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    promtool('check', 'rules', '--lint=none', file)
  })
})
