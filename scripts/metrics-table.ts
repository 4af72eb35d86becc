import { Registry } from 'prom-client'
import { registerDatabaseUp } from '../src/monitoring/exposition.ts'
import { registerFacts } from '../src/monitoring/facts.ts'
import { createMeasurements, measureProcess } from '../src/telemetry/measurements.ts'

/** A metric as the code declares it. */
export interface Metric {
  name: string
  type: string
  help: string
  labels: string[]
}

/** Every metric that /metrics can have: what each process counts for itself, and the facts of the installation. */
export function listMetrics(): { process: Metric[]; installation: Metric[] } {
  const measurements = createMeasurements()
  measureProcess(measurements, { version: '', role: '' })
  registerDatabaseUp(measurements.registry)
  const facts = new Registry()
  registerFacts(facts)
  return { process: metricsOf(measurements.registry), installation: metricsOf(facts) }
}

function metricsOf(registry: Registry): Metric[] {
  // What the registry holds are the metrics themselves; its type does not tell their labels.
  const declared = registry.getMetricsAsArray() as unknown as (Metric & { labelNames: string[] })[]
  return declared
    .map(({ name, type, help, labelNames }) => ({ name, type, help, labels: [...labelNames] }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
}

/** Names of the series of a metric, as queries use them. */
export function seriesOf({ name, type }: Metric): string[] {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]
}

/** docs/metrics.md without its notice. */
export function metricsTable(): string {
  const { process, installation } = listMetrics()
  const own = process.filter(({ name }) => name.startsWith('bulkhead_'))
  return `# Metrics

\`GET /metrics\`, of the API and of the listener of \`METRICS_PORT\`, in the text format of Prometheus. What to do with
them: [operations.md](operations.md).

## Of the process

Each process counts for itself since it started: take \`rate()\`, then \`sum()\`.

${table(own)}

Besides these the metrics of Node.js and of the process, as every Node.js program has them: \`nodejs_eventloop_lag_…\`,
\`nodejs_heap_…\`, \`nodejs_gc_duration_seconds\`, \`process_cpu_…\`, \`process_resident_memory_bytes\`, and so on.

## Of the installation

Read from the database at each scrape, and the same at every process: take \`max()\`. Amounts are in the currency's own
unit, and to look at only: they are floating point numbers.

${table(installation)}
`
}

function table(metrics: Metric[]): string {
  const rows = metrics.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`
  )
  return `| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}`
}
