import { statement } from '../database/statement.ts'

/**
 * A bulk's events behind a version, in order, and whether it is final, in one snapshot; a row without a type if there
 * are none. No position is needed: a bulk's versions are committed in their order, and all events of one at once.
 */
export const selectBulkEvents = statement(
  'select-bulk-events',
  { organization_id: 'int4', bulk_id: 'uuid', after: 'int4' },
  {
    completed: 'bool',
    type: 'text?',
    version: 'int4?',
    occurred_at: 'timestamptz?',
    data: 'jsonb?'
  },
  `select b.completed_at is not null as completed, e.type, e.version, e.occurred_at, e.data
   from bulk b
   left join event e on (e.organization_id, e.bulk_no) = (b.organization_id, b.bulk_no) and e.version > :after
   where b.organization_id = :organization_id and b.request_id = :bulk_id
   order by e.version, e.event_no`
)
