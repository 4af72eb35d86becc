import type { Context } from '../context.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { operatorsLog } from '../events/record-act.ts'

/** What an incident can be: the word, and what it means to whoever looks into it. The one table. */
export const incidentKinds = {
  'contradictory-result':
    'The bank told another end of a transfer than the one that is recorded; nothing was changed.',
  'missing-at-bank': "A transfer is EXECUTED, or RETURNED, here, and not on the bank's statement.",
  'unexpected-at-bank': "The bank's statement has a payment that no transfer of ours explains.",
  'different-at-bank': 'The bank tells of another amount, currency or payee than the transfer has.',
  'booked-twice-at-bank': "The bank's statement has the same transfer more than once.",
  'statement-not-shown': 'The bank has not shown its statement for minutes, so nothing is compared with it.',
  'overdue-work': 'Transfers are due and nobody works on them.',
  'money-on-closed-account':
    'Money came back to an account after it was closed, from which nobody can pay it any more.',
  'orphaned-reserve': 'An account reserves another amount than its open transfers add up to.',
  'broken-invariant': 'The checker found rows that break an invariant.',
  'webhook-disabled':
    'A webhook endpoint was disabled, because it answered 410 or failed for five days; told for a week.',
  'webhook-unsigned':
    'No key of WEBHOOK_SECRET_KEY opens the secret of a webhook endpoint, so that nothing is sent to it.'
} as const
export type IncidentKind = keyof typeof incidentKinds

export interface Incident {
  kind: IncidentKind
  /** What it is about, in the words of the checker: the same subject is the same incident. */
  subject: string
  details: string
  organization_id: number | null
  bulk_no: bigint | null
  seq: number | null
}

const insertIncident = statement(
  'open-incident',
  {
    kind: 'text',
    subject: 'text',
    details: 'text',
    organization_id: 'int4?',
    bulk_no: 'int8?',
    seq: 'int2?'
  },
  { incident_no: 'int8' },
  `with opened as (
     insert into incident (kind, subject, details, organization_id, bulk_no, seq)
     values (:kind, :subject, :details, :organization_id, :bulk_no, :seq)
     on conflict (kind, subject) where resolved_at is null do nothing
     returning incident_no
   ), told as (
     update bulk b set version = b.version + 1
     from opened where (b.organization_id, b.bulk_no) = (:organization_id, :bulk_no)
     returning b as bulk, incident_no
   ), announced as (
     insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
     select :organization_id, :bulk_no, (bulk).version, 'bulk.needs_attention', 'bulkhead', (bulk).trace_id,
            bulk_facts(bulk) || jsonb_build_object('incident_no', incident_no, 'kind', :kind)
     from told
   )
   select incident_no from opened`
)

/** Opens an incident, tells whose bulk it is about, and raises the alarm, once as long as it is open. `details` may name an IBAN: they are not logged. */
export async function openIncident(context: Context, incident: Incident): Promise<void> {
  const [opened] = await insertIncident(context.db, incident)
  if (!opened) return
  const { kind, subject, organization_id } = incident
  const about = { incident_no: opened.incident_no.toString(), kind, subject, organization_id }
  context.log.error(about, `incident: ${incidentKinds[kind]}`)
}

/** Ends the incidents of a kind whose subject is no longer found. */
export const resolveOthers = statement(
  'resolve-incidents',
  { kind: 'text', subjects: 'text[]' },
  { incident_no: 'int8' },
  `update incident set resolved_at = now()
   where kind = :kind and resolved_at is null and not (subject = any (:subjects))
   returning incident_no`
)

/**
 * Ends an incident by a person's word, which is kept and shown to no organization: it names who runs the installation.
 * No row if it is not open.
 */
export const resolveIncident = statement(
  'resolve-incident',
  { incident_no: 'int8', actor: 'text', resolution: 'text' },
  { kind: 'text', subject: 'text' },
  `with resolved as (
     update incident set resolved_at = now(), resolution = :resolution
     where incident_no = :incident_no and resolved_at is null
     returning organization_id, kind, subject
   ), recorded as (
     insert into event (organization_id, type, actor, data)
     select coalesce(organization_id, ${operatorsLog}), 'incident.resolved', :actor,
            jsonb_build_object('incident_no', :incident_no, 'kind', kind,
                               'before', '{"open": true}'::jsonb, 'after', '{"open": false}'::jsonb)
     from resolved
   )
   select kind, subject from resolved`
)

/**
 * Opens an incident for everything that was found of a kind, and ends those of which nothing is found any more; none if
 * there was too much to find all of it, since what is not among them is not in order again.
 */
export async function reportFindings(
  context: Context,
  kind: IncidentKind,
  found: { all: Omit<Incident, 'kind'>[]; complete: boolean }
): Promise<void> {
  for (const finding of found.all) await openIncident(context, { kind, ...finding })
  if (found.complete)
    await resolveOthers(context.db, { kind, subjects: found.all.map(({ subject }) => subject) })
}

const selectIncidents = statement(
  'select-incidents',
  { organization_id: 'int4', before_no: 'int8?', open: 'bool?', limit: 'int4' },
  {
    incident_no: 'int8',
    kind: 'text',
    subject: 'text',
    details: 'text',
    opened_at: 'timestamptz',
    resolved_at: 'timestamptz?'
  },
  `select incident_no, kind, subject, details, opened_at, resolved_at from incident
   where organization_id = :organization_id and (:before_no is null or incident_no < :before_no)
     and (:open is null or (resolved_at is null) = :open)
   order by incident_no desc limit :limit`
)

/** Every open incident of the installation, the newest first. */
export const listOpenIncidents = statement(
  'list-open-incidents',
  {},
  { incident_no: 'int8', kind: 'text', subject: 'text', details: 'text', opened_at: 'timestamptz' },
  `select incident_no, kind, subject, details, opened_at from incident
   where resolved_at is null order by incident_no desc limit 1000`
)

/** The incidents of an organization, the newest first. */
export async function listIncidents(
  tx: Tx,
  query: { organization_id: number; before_no: bigint | null; open: boolean | null; limit: number }
) {
  const rows = await selectIncidents(tx, query)
  return rows.map((row) => ({
    incident_no: Number(row.incident_no),
    kind: row.kind as IncidentKind,
    subject: row.subject,
    details: row.details,
    opened_at: row.opened_at.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null
  }))
}
