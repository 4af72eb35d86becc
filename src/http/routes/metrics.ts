import { Gauge, Registry } from 'prom-client'
import { z } from 'zod'
import type { Context } from '../../context.ts'
import { statement } from '../../database/statement.ts'
import { incidentKinds } from '../../incidents/incidents.ts'
import { problems } from '../problems.ts'
import type { Server } from '../server-type.ts'

const selectOpenWork = statement(
  'measure-open-work',
  {},
  { status: 'text', transfers: 'int8', oldest_s: 'float8', overdue_s: 'float8' },
  `select status::text, sum(cardinality(seqs))::int8 as transfers,
          extract(epoch from now() - min(since))::float8 as oldest_s,
          greatest(0, extract(epoch from now() - min(due_at)))::float8 as overdue_s
   from chunk where due_at is not null group by 1`
)

const selectOpenIncidents = statement(
  'measure-open-incidents',
  {},
  { kind: 'text', incidents: 'int8' },
  `select kind, count(*) as incidents from incident where resolved_at is null group by 1`
)

const openStatuses = ['PENDING', 'PROCESSING', 'SENT', 'UNKNOWN']

/** What has to be known to tell whether money is stuck, read from the database at every scrape. */
export function metricsRoute(server: Server, context: Context): void {
  const registry = new Registry()
  const registers = [registry]
  const transfers = new Gauge({
    name: 'bulkhead_open_transfers',
    help: 'Transfers that have not ended, by status.',
    labelNames: ['status'],
    registers
  })
  const oldest = new Gauge({
    name: 'bulkhead_open_transfers_oldest_seconds',
    help: 'How long the oldest transfer has been in its status.',
    labelNames: ['status'],
    registers
  })
  const overdue = new Gauge({
    name: 'bulkhead_work_overdue_seconds',
    help: 'How long the work that has waited longest has been due.',
    registers
  })
  const incidents = new Gauge({
    name: 'bulkhead_open_incidents',
    help: 'Incidents that are not resolved, by kind.',
    labelNames: ['kind'],
    registers
  })
  server.get(
    '/metrics',
    {
      schema: {
        tags: ['health'],
        summary: 'Measurements for Prometheus',
        response: { 200: z.string(), ...problems(503) }
      }
    },
    async (_, reply) => {
      const work = new Map((await selectOpenWork(context.db, {})).map((row) => [row.status, row]))
      const open = new Map(
        (await selectOpenIncidents(context.db, {})).map((row) => [row.kind, row.incidents])
      )
      for (const status of openStatuses) {
        transfers.set({ status }, Number(work.get(status)?.transfers ?? 0n))
        oldest.set({ status }, work.get(status)?.oldest_s ?? 0)
      }
      overdue.set(Math.max(0, ...[...work.values()].map(({ overdue_s }) => overdue_s)))
      for (const kind of Object.keys(incidentKinds)) incidents.set({ kind }, Number(open.get(kind) ?? 0n))
      const text = await registry.metrics()
      return reply
        .header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
        .serializer((payload: unknown) => String(payload))
        .send(text)
    }
  )
}
