import { unlessTold } from '../events/event-types.ts'

/**
 * The events of a settlement, all of one version of the bulk: what ended, one row for all of it; the last quarter that
 * was passed, or the end. A part of the statements that settle, behind `ended` and `told`.
 */
export const announce = `announced as (
     insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
     select organization_id, bulk_no, (told.bulk).version, e.type, told.actor, told.trace_id, e.data
     from (
       select told.*, (told.bulk).transfer_count as size,
              (told.bulk).executed_count + (told.bulk).failed_count + (told.bulk).cancelled_count as ended_in_all
       from told
     ) told
     join bulk was using (organization_id, bulk_no)
     cross join lateral (
       -- Two that stop it at once both see it going on; the bulk's lock and this key leave one of them to tell.
       select 0 as nr, 'bulk.stopped' as type, bulk_facts(told.bulk) as data
       where told.stopped_at is not null and was.stopped_at is null
       union all
       select 1, 'transfers.settled', jsonb_build_object('bulk_id', (told.bulk).request_id, 'items', (
         select jsonb_agg(jsonb_build_object('status', status, 'reason_code', reason_code, 'indexes', seqs))
         from (select status, reason_code, jsonb_agg(seq order by seq) as seqs from ended group by 1, 2 order by 1, 2) item
       ))
       where told.ended_count > 0
       union all
       select 2, 'bulk.progress', bulk_facts(told.bulk) || jsonb_build_object('percent', 4 * told.ended_in_all / told.size * 25)
       where told.ended_in_all < told.size
         and 4 * told.ended_in_all / told.size > 4 * (told.ended_in_all - told.ended_count) / told.size
       union all
       select 3, 'bulk.completed', bulk_facts(told.bulk) where told.ended_in_all = told.size
     ) e
     order by e.nr
     ${unlessTold}
   )`
