import { Gauge, type Registry } from 'prom-client'
import type { Tx } from '../database/statement.ts'
import { formatAmount, isCurrency } from '../domain/money.ts'
import { incidentKinds } from '../incidents/incidents.ts'
import * as queries from './fact-queries.ts'

type MakeGauge = (name: string, help: string, ...labelNames: string[]) => Gauge
/** Makes the gauges of a subject, and returns what reads and sets them. */
type Subject = (gauge: MakeGauge) => (tx: Tx) => Promise<void>

/** So many organizations have time series of their own; the others are one, "other". */
const topOrganizations = 20
/** What "lately" is. */
const minutes = 15

/**
 * What only the database knows, the same at every process. A new table that somebody has to watch over gets a subject
 * here, an alert in ops/prometheus/alerts.yml and a panel in scripts/dashboard-panels.ts.
 */
const subjects: Subject[] = [
  openWork,
  openWorkOfOrganizations,
  lately,
  money,
  incidents,
  notices,
  events,
  webhooks,
  jobs,
  adoption
]

/** Registers the facts of the installation; returns what reads them, one statement after another on one connection. */
export function registerFacts(registry: Registry): (tx: Tx) => Promise<void> {
  const gauges: Gauge[] = []
  const readers = subjects.map((subject) =>
    subject((name, help, ...labelNames) => {
      const made = new Gauge({ name: `bulkhead_${name}`, help, labelNames, registers: [registry] })
      gauges.push(made)
      return made
    })
  )
  return async (tx) => {
    // What is no longer there must not be told for ever.
    for (const gauge of gauges) gauge.reset()
    for (const read of readers) await read(tx)
  }
}

const openStatuses = ['PENDING', 'PROCESSING', 'SENT', 'UNKNOWN']

function openWork(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const transfers = gauge('open_transfers', 'Transfers that have not ended, by status.', 'status')
  const oldest = gauge(
    'open_transfers_oldest_seconds',
    'How long the oldest transfer has been in its status.',
    'status'
  )
  const overdue = gauge('work_overdue_seconds', 'How long the work that has waited longest has been due.')
  const expired = gauge('expired_leases', 'Chunks whose worker is gone and that nobody has taken over yet.')
  return async (tx) => {
    const rows = new Map((await queries.selectOpenWork(tx, {})).map((row) => [row.status, row]))
    for (const status of openStatuses) {
      transfers.set({ status }, Number(rows.get(status)?.transfers ?? 0n))
      oldest.set({ status }, rows.get(status)?.oldest_s ?? 0)
    }
    const all = [...rows.values()]
    overdue.set(Math.max(0, ...all.map(({ overdue_s }) => overdue_s)))
    expired.set(all.reduce((sum, { expired_leases }) => sum + Number(expired_leases), 0))
  }
}

function openWorkOfOrganizations(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const transfers = gauge(
    'organization_open_transfers',
    `Transfers that have not ended, of the ${topOrganizations} organizations that have most of them, and of all others.`,
    'organization'
  )
  const bulks = gauge('open_bulks', 'Bulks that have not ended.')
  return async (tx) => {
    const rows = await queries.selectOpenWorkOfOrganizations(tx, { top: topOrganizations })
    for (const row of rows) transfers.set({ organization: nameOf(row) }, Number(row.transfers))
    bulks.set(rows.reduce((sum, row) => sum + Number(row.bulks), 0))
  }
}

function lately(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const span = `the last ${minutes} minutes, of the ${topOrganizations} organizations with most, and of all others.`
  const bulks = gauge('organization_accepted_bulks', `Bulks accepted in ${span}`, 'organization')
  const amounts = gauge(
    'organization_accepted_amount',
    `Amount accepted in ${span}`,
    'organization',
    'currency'
  )
  const ended = gauge(
    'organization_ended_transfers',
    `Transfers, by status, of bulks that ended in ${span}`,
    'organization',
    'status'
  )
  return async (tx) => {
    const window = { top: topOrganizations, minutes }
    for (const row of await queries.selectRecentlyAccepted(tx, window)) {
      const organization = nameOf(row)
      bulks.inc({ organization }, Number(row.bulks))
      amounts.set({ organization, currency: row.currency }, measured(row.amount_minor, row.currency))
    }
    for (const row of await queries.selectRecentlyEnded(tx, window)) {
      const organization = nameOf(row)
      ended.set({ organization, status: 'EXECUTED' }, Number(row.executed))
      ended.set({ organization, status: 'FAILED' }, Number(row.failed))
      ended.set({ organization, status: 'CANCELLED' }, Number(row.cancelled))
    }
  }
}

function money(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const balance = gauge('accounts_balance', 'Sum of the balances of all accounts.', 'currency')
  const reserved = gauge('accounts_reserved', 'Sum of what all accounts reserve.', 'currency')
  const open = gauge('open_amount', 'Sum of the transfers that have not ended.', 'currency')
  const mismatched = gauge(
    'reserve_mismatched_accounts',
    'Accounts that reserve another amount than their open transfers add up to. Anything but 0 is wrong.'
  )
  return async (tx) => {
    const rows = await queries.selectMoney(tx, {})
    for (const { currency, ...row } of rows) {
      balance.set({ currency }, measured(row.balance_minor, currency))
      reserved.set({ currency }, measured(row.reserved_minor, currency))
      open.set({ currency }, measured(row.open_minor, currency))
    }
    mismatched.set(rows.reduce((sum, row) => sum + Number(row.mismatched), 0))
  }
}

function incidents(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const open = gauge('open_incidents', 'Incidents that are not resolved, by kind.', 'kind')
  return async (tx) => {
    for (const kind of Object.keys(incidentKinds)) open.set({ kind }, 0)
    for (const row of await queries.selectOpenIncidents(tx, {}))
      open.set({ kind: row.kind }, Number(row.incidents))
  }
}

function notices(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const waiting = gauge('notices_waiting', 'What the bank told by itself and is not settled yet.')
  const oldest = gauge('notices_oldest_seconds', 'How long the oldest of them has waited.')
  return async (tx) => {
    const [row] = await queries.selectNotices(tx, {})
    waiting.set(Number(row?.waiting ?? 0n))
    oldest.set(row?.oldest_s ?? 0)
  }
}

function events(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const oldest = gauge(
    'unsealed_events_oldest_seconds',
    'How long the oldest event has waited to be sealed; readers do not see it before.'
  )
  return async (tx) => oldest.set((await queries.selectUnsealed(tx, {}))[0]?.oldest_s ?? 0)
}

function webhooks(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const pending = gauge(
    'webhook_deliveries_pending',
    'Webhooks that have not been delivered and are to be tried again.'
  )
  const overdue = gauge(
    'webhook_delivery_overdue_seconds',
    'How long the webhook that has waited longest has been due.'
  )
  const disabled = gauge(
    'webhook_endpoints_disabled',
    'Endpoints that were disabled because their receiver is gone or has failed for days.'
  )
  return async (tx) => {
    const [row] = await queries.selectWebhooks(tx, {})
    pending.set(Number(row?.pending ?? 0n))
    overdue.set(row?.overdue_s ?? 0)
    disabled.set(Number(row?.disabled ?? 0n))
  }
}

function jobs(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  // Not "job": Prometheus gives every series a label of that name.
  const overdue = gauge('job_overdue_seconds', 'How long a job of housekeeping has been due.', 'task')
  const done = gauge(
    'job_last_success_timestamp_seconds',
    'When a job of housekeeping last went well, in seconds since 1970.',
    'task'
  )
  return async (tx) => {
    for (const { name: task, overdue_s, done_s } of await queries.selectJobs(tx, {})) {
      overdue.set({ task }, overdue_s)
      if (done_s !== null) done.set({ task }, done_s)
    }
  }
}

function adoption(gauge: MakeGauge): (tx: Tx) => Promise<void> {
  const all = gauge('organizations', 'Organizations.')
  const active = gauge('organizations_active', 'Organizations with a bulk in the last 1 or 30 days.', 'days')
  return async (tx) => {
    const [row] = await queries.selectAdoption(tx, {})
    all.set(Number(row?.organizations ?? 0n))
    active.set({ days: '1' }, Number(row?.active_1d ?? 0n))
    active.set({ days: '30' }, Number(row?.active_30d ?? 0n))
  }
}

function nameOf({ organization_id }: { organization_id: number | null }): string {
  return organization_id === null ? 'other' : String(organization_id)
}

/** An amount in the currency's own unit, to look at: Prometheus has nothing but floating point numbers. */
function measured(amountMinor: bigint, currency: string): number {
  return isCurrency(currency) ? Number(formatAmount(amountMinor, currency)) : Number(amountMinor)
}
