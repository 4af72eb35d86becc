import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { bankMeasurements } from './bank-measurements.ts'
import type { Watched } from './watched.ts'

/** What this process has counted and timed since it started, in memory; /metrics shows it beside the facts of the database. */
export type Measurements = ReturnType<typeof createMeasurements>

/** Measurements of one process, all at zero. */
export function createMeasurements() {
  const registry = new Registry()
  const registers = [registry]
  const watched: Watched = {}
  return {
    registry,
    watched,
    ...apiMeasurements(registers),
    ...workMeasurements(registers),
    ...bankMeasurements(registers, watched),
    ...databaseMeasurements(registers, watched)
  }
}

/** Adds what Node.js tells of itself (memory, event loop, collections), and what this process is. */
export function measureProcess({ registry }: Measurements, about: { version: string; role: string }): void {
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'bulkhead_info',
    help: 'Always 1: which version this process runs, and in which role.',
    labelNames: ['version', 'role'],
    registers: [registry]
  }).set(about, 1)
}

function apiMeasurements(registers: Registry[]) {
  return {
    httpRequests: new Histogram({
      name: 'bulkhead_http_request_duration_seconds',
      help: 'Time to answer a request, by route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers
    }),
    bulkRequests: startingAtZero(
      new Counter({
        name: 'bulkhead_bulk_requests_total',
        help: 'Submissions of bulks, by result: accepted, replayed, or the reason of the refusal. No dry runs.',
        labelNames: ['result'],
        registers
      }),
      ['accepted', 'replayed', 'insufficient-account-balance'].map((result) => ({ result }))
    ),
    announceFailures: new Counter({
      name: 'bulkhead_broker_announce_failures_total',
      help: 'Hints that there is work which the broker did not take; workers found the work by themselves.',
      registers
    })
  }
}

function workMeasurements(registers: Registry[]) {
  return {
    transfersEnded: startingAtZero(
      new Counter({
        name: 'bulkhead_transfers_ended_total',
        help: 'Transfers that this process brought to their end, by status.',
        labelNames: ['status'],
        registers
      }),
      ['EXECUTED', 'FAILED', 'CANCELLED'].map((status) => ({ status }))
    ),
    transfersFailed: new Counter({
      name: 'bulkhead_transfers_failed_total',
      help: 'Transfers that failed, by ISO 20022 reason code; "other" for a code that is not in docs/problems.md.',
      labelNames: ['reason_code'],
      registers
    }),
    bulkDuration: new Histogram({
      name: 'bulkhead_bulk_duration_seconds',
      help: 'Time from the submission of a bulk to its end, by the status in which it ended.',
      labelNames: ['status'],
      buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400],
      registers
    }),
    claimsLost: new Counter({
      name: 'bulkhead_claims_lost_total',
      help: 'Claims whose lease had been lost when their results came, so that nothing was recorded.',
      registers
    }),
    webhookAttempts: startingAtZero(
      new Counter({
        name: 'bulkhead_webhook_attempts_total',
        help: 'Attempts to deliver webhooks, by outcome; refused: the address may not be called.',
        labelNames: ['outcome'],
        registers
      }),
      ['delivered', 'failed', 'refused'].map((outcome) => ({ outcome }))
    ),
    workFailures: startingAtZero(
      new Counter({
        name: 'bulkhead_work_failures_total',
        help: 'Steps of a worker or of housekeeping that failed and are tried again, by part.',
        labelNames: ['part'],
        registers
      }),
      ['worker', 'notices', 'reconcile', 'sweep', 'audit', 'sealer', 'webhooks'].map((part) => ({ part }))
    )
  }
}

function databaseMeasurements(registers: Registry[], watched: Watched) {
  const connections = new Gauge({
    name: 'bulkhead_database_connections',
    help: 'Connections of this process to the database, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const { total = 0, idle = 0 } = watched.connections?.() ?? {}
      this.set({ state: 'busy' }, total - idle)
      this.set({ state: 'idle' }, idle)
    }
  })
  const waiting = new Gauge({
    name: 'bulkhead_database_waiting',
    help: 'Statements of this process that wait for a connection.',
    registers,
    collect() {
      this.set(watched.connections?.().waiting ?? 0)
    }
  })
  return {
    connections,
    waiting,
    statements: new Histogram({
      name: 'bulkhead_database_statement_duration_seconds',
      help: 'Time of a statement with its wait for a connection, by result: ok, refused (by a rule of the database), unavailable.',
      labelNames: ['result'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30],
      registers
    })
  }
}

/** A counter that first shows with its first event hides that event from rate(); so these begin at 0. */
function startingAtZero<T extends string>(counter: Counter<T>, labels: Record<T, string>[]): Counter<T> {
  for (const label of labels) counter.inc(label, 0)
  return counter
}
