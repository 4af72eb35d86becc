import { statement } from '../database/statement.ts'

/*
 * Facts of the whole installation. Each statement costs as much as there is open work, as many organizations as there
 * are, or as much as has happened in the last minutes, and does not grow with what is stored: all of them took 65 ms
 * with 5000 organizations, 500 000 bulks and a million open transfers. Organizations beyond the `top` busiest come as
 * one row without an organization_id, so that the number of time series is bounded.
 */

export const selectOpenWork = statement(
  'measure-open-work',
  {},
  { status: 'text', transfers: 'int8', oldest_s: 'float8', overdue_s: 'float8', expired_leases: 'int8' },
  `select status::text, sum(cardinality(seqs))::int8 as transfers,
          extract(epoch from now() - min(since))::float8 as oldest_s,
          greatest(0, extract(epoch from now() - min(due_at)))::float8 as overdue_s,
          count(*) filter (where worker is not null and due_at < now()) as expired_leases
   from chunk where due_at is not null group by 1`
)

export const selectOpenWorkOfOrganizations = statement(
  'measure-open-work-of-organizations',
  { top: 'int4' },
  { organization_id: 'int4?', transfers: 'int8', bulks: 'int8' },
  `with open as (
     select organization_id, sum(cardinality(seqs)) as transfers, count(distinct bulk_no) as bulks
     from chunk where due_at is not null group by 1
   ), ranked as (
     select *, row_number() over (order by transfers desc, organization_id) as rank from open
   )
   select case when rank <= :top then organization_id end as organization_id,
          sum(transfers)::int8 as transfers, sum(bulks)::int8 as bulks
   from ranked group by 1`
)

export const selectRecentlyAccepted = statement(
  'measure-recently-accepted',
  { top: 'int4', minutes: 'int4' },
  { organization_id: 'int4?', currency: 'text', bulks: 'int8', transfers: 'int8', amount_minor: 'int8' },
  `with recent as (
     select organization_id, currency, count(*) as bulks, sum(transfer_count) as transfers, sum(total_minor) as amount_minor
     from bulk where accepted_at > now() - :minutes * interval '1 minute' group by 1, 2
   ), busy as (
     select organization_id from recent group by 1 order by sum(amount_minor) desc, 1 limit :top
   )
   select b.organization_id, r.currency, sum(r.bulks)::int8 as bulks, sum(r.transfers)::int8 as transfers,
          sum(r.amount_minor)::int8 as amount_minor
   from recent r left join busy b on b.organization_id = r.organization_id group by 1, 2`
)

export const selectRecentlyEnded = statement(
  'measure-recently-ended',
  { top: 'int4', minutes: 'int4' },
  { organization_id: 'int4?', executed: 'int8', failed: 'int8', cancelled: 'int8' },
  `with recent as (
     select organization_id, sum(executed_count) as executed, sum(failed_count) as failed,
            sum(cancelled_count) as cancelled, sum(transfer_count) as transfers
     from bulk where completed_at > now() - :minutes * interval '1 minute' group by 1
   ), ranked as (
     select *, row_number() over (order by transfers desc, organization_id) as rank from recent
   )
   select case when rank <= :top then organization_id end as organization_id,
          sum(executed)::int8 as executed, sum(failed)::int8 as failed, sum(cancelled)::int8 as cancelled
   from ranked group by 1`
)

/** What the accounts hold and reserve, and whether each reserve is what the account's open transfers add up to. */
export const selectMoney = statement(
  'measure-money',
  {},
  {
    currency: 'text',
    balance_minor: 'int8',
    reserved_minor: 'int8',
    open_minor: 'int8',
    mismatched: 'int8'
  },
  `with open as (
     select c.organization_id, b.account_id, sum(c.open_minor) as open_minor
     from chunk c join bulk b using (organization_id, bulk_no)
     where c.due_at is not null group by 1, 2
   )
   select a.currency, sum(a.balance_minor)::int8 as balance_minor, sum(a.reserved_minor)::int8 as reserved_minor,
          sum(coalesce(o.open_minor, 0))::int8 as open_minor,
          count(*) filter (where a.reserved_minor <> coalesce(o.open_minor, 0)) as mismatched
   from account a left join open o using (organization_id, account_id)
   where a.kind = 'CUSTOMER' group by 1`
)

export const selectOpenIncidents = statement(
  'measure-open-incidents',
  {},
  { kind: 'text', incidents: 'int8' },
  `select kind, count(*) as incidents from incident where resolved_at is null group by 1`
)

export const selectNotices = statement(
  'measure-notices',
  {},
  { waiting: 'int8', oldest_s: 'float8' },
  `select count(*) as waiting, coalesce(extract(epoch from now() - min(received_at)), 0)::float8 as oldest_s
   from notice where due_at is not null`
)

export const selectJobs = statement(
  'measure-jobs',
  {},
  { name: 'text', overdue_s: 'float8', done_s: 'float8?' },
  `select name, greatest(0, extract(epoch from now() - due_at))::float8 as overdue_s,
          extract(epoch from done_at)::float8 as done_s
   from job`
)

/** Each organization's last bulk, by its key: one look-up an organization. */
export const selectAdoption = statement(
  'measure-adoption',
  {},
  { organizations: 'int8', active_1d: 'int8', active_30d: 'int8' },
  `select count(*) as organizations,
          count(*) filter (where accepted_at > now() - interval '1 day') as active_1d,
          count(*) filter (where accepted_at > now() - interval '30 days') as active_30d
   from organization o left join lateral (
     select accepted_at from bulk b where b.organization_id = o.organization_id order by bulk_no desc limit 1
   ) last on true`
)

export const selectUnsealed = statement(
  'measure-unsealed-events',
  {},
  { oldest_s: 'float8' },
  `select coalesce(greatest(0, extract(epoch from now() - min(occurred_at))), 0)::float8 as oldest_s
   from event where position is null`
)

export const selectWebhooks = statement(
  'measure-webhooks',
  {},
  { pending: 'int8', overdue_s: 'float8', disabled: 'int8' },
  `select (select count(*) from webhook_delivery where due_at is not null) as pending,
          coalesce(greatest(0, extract(epoch from now() - (
            select min(d.due_at) from webhook_delivery d
            join webhook_endpoint e using (organization_id, endpoint_no)
            where d.due_at is not null and not d.taken and e.disabled_at is null
              and coalesce(e.paused_until, '-infinity') < now()))), 0)::float8 as overdue_s,
          (select count(*) from webhook_endpoint
           where disabled_reason in ('gone', 'failing') and deleted_at is null) as disabled`
)
