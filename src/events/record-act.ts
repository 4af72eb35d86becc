import type { Origin } from '../context.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import type { AuditType } from './event-types.ts'

const insertAct = statement(
  'record-act',
  { organization_id: 'int4', type: 'text', actor: 'text', trace_id: 'text?', data: 'jsonb' },
  { event_no: 'int8' },
  `insert into event (organization_id, type, actor, trace_id, data)
   values (:organization_id, :type, :actor, :trace_id, :data) returning event_no`
)

/** Under this number, which no organization has, is recorded what is about none: a log and a chain like any other. */
export const operatorsLog = 0

/** What somebody did. `data` has no secret, no hash of one, no whole IBAN and no name or words of anybody. */
export interface Act {
  /** Null: it is about no organization, and belongs to the operators' own log. */
  organization_id: number | null
  type: AuditType
  data: Record<string, unknown>
}

/** Records what is done in this transaction, so that neither is there without the other. */
export async function recordAct(tx: Tx, { actor, trace_id }: Origin, act: Act): Promise<void> {
  const organization_id = act.organization_id ?? operatorsLog
  await insertAct(tx, { ...act, organization_id, actor, trace_id, data: JSON.stringify(act.data) })
}
